package gcra_test

import _ "time/tzdata" // the zones that tests name, wherever they run
