package crdt_test

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// A state that is restored from its image and its cells is the same, over whatever the state
// held before.
func TestAStateIsItsImageAndItsCells(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &seventh.frame
		s, into := crdt.New(now), crdt.New(0)
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			at := now + width*rapid.Int64Range(-1, 3).Draw(t, "window")
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				s.Admit(rapid.Uint64Range(1, 1<<40).Draw(t, "units"))
			case 1:
				s.GiveBack(f, at, rapid.Uint64Range(0, 100).Draw(t, "back"))
			case 2:
				row := crdt.Row{Cur: crdt.Part{Origin: at, Count: counts.Draw(t, "cur")}, Prev: crdt.Part{Origin: crdt.Never, Count: counts.Draw(t, "prev")}}
				s.Merge(f, crdt.Replica(rapid.IntRange(1, 4).Draw(t, "replica")), at, row)
			case 3:
				s.Sent()
			default:
				s.Roll(f, at)
			}
			im := s.Image()
			if im.Carry >= crdt.End {
				continue // the image is not true then, as it says
			}
			into.Restore(&im)
			for i := range s.Cells() {
				into.Hold(s.Cell(i))
			}
			into.Restored(f)
			got, want := look(f, &into, observer), look(f, &s, observer)
			if !reflect.DeepEqual(got, want) || into.Origins() != s.Origins() || into.Image() != im {
				t.Fatalf("got %+v with origins %v, want %+v with %v", got, into.Origins(), want, s.Origins())
			}
		}
	})
}
