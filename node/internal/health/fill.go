package health

import "log/slog"

// Fill says how full the client table is, once at each step up. The zero value is ready. It is for
// one goroutine.
type Fill struct{ told fill }

// fill is how full the table is. A higher one is worse, so that Tell can compare them.
type fill int

const (
	roomy fill = iota
	nearly
	full
)

// Tell logs when the table becomes nearly full, at four fifths, and when it is full. It tells again
// only after the table was below seven tenths: a table at the border is no news.
func (f *Fill) Tell(log *slog.Logger, clients, most int) {
	now := roomy
	switch {
	case clients >= most:
		now = full
	case clients*5 >= most*4:
		now = nearly
	case clients*10 >= most*7:
		now = f.told // between the two borders nothing changes
	}
	if now > f.told {
		if now == full {
			log.Warn("the client table is full: clients that find no room are decided by an estimate that denies some too much, and that peers do not know; raise max_clients, or look for a client that invents ids", "clients", clients, "max_clients", most)
		} else {
			log.Warn("the client table is nearly full", "clients", clients, "max_clients", most)
		}
	}
	if now == roomy || now > f.told {
		f.told = now
	}
}
