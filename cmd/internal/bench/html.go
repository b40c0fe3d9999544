package bench

import "io"

// HTML writes the report as a page.
func (r *Result) HTML(w io.Writer) error { return r.Print(w) }
