// Package build tells from which source and with which Go a program was built.
package build

import (
	"cmp"
	"runtime/debug"
)

// version is set by `make build`: -ldflags "-X .../cmd/internal/build.version=v1.2.3".
var version string

const unknown = "unknown"

// Info is the origin of a program. A field that the program does not know is "unknown".
type Info struct{ Version, Revision, Go string }

// Read returns the origin of this program. Without a stamped version the version is that
// of the module.
func Read() Info {
	i := Info{Version: version, Revision: unknown, Go: unknown}
	info, ok := debug.ReadBuildInfo()
	if ok {
		i.Version, i.Go = cmp.Or(version, info.Main.Version), info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				i.Revision = s.Value
			}
		}
	}
	i.Version = cmp.Or(i.Version, unknown)
	return i
}
