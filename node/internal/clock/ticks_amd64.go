package clock

// hasTicks says that ticks counts.
const hasTicks = true

// ticks is the processor's time stamp counter (Intel SDM, volume 3, 19.17). It is no fence: the
// processor may read it some nanoseconds earlier or later than the program says.
func ticks() uint64

// ticksBehind is ticks behind all that the program did before.
func ticksBehind() uint64
