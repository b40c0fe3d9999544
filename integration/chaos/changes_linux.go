package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const token = "the-token-of-the-operator"

// changes are limits that an operator set while faults went on.
type changes struct {
	run  *run
	made int
	// want are the limits that may be in force, by name: the one that a node last said is, and those
	// that somebody tried to set since and got no answer to.
	want map[string][]int64
}

// one changes a limit at some node, and notes it if the node took it over.
func (c *changes) one(ctx context.Context) {
	if c.want == nil {
		c.want = map[string][]int64{}
	}
	name, limit := fmt.Sprintf("set-%d", c.made%5), int64(10+c.made)
	d := c.run.daemons[c.made%len(c.run.daemons)]
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	status, err := send(ctx, c.run.client, http.MethodPut, d.url+"/v1/limits/"+name, token, strings.NewReader(fmt.Sprintf(`{"limit":%d,"window":60}`, limit)), nil)
	if err == nil && status < 300 {
		c.want[name] = []int64{limit}
	} else if c.want[name] != nil {
		c.want[name] = append(c.want[name], limit)
	}
	c.made++
}

// judge waits until every node has the limits that were last set.
func (c *changes) judge(ctx context.Context) {
	for _, d := range c.run.daemons {
		for began := c.run.now(); ; pause(ctx, 50*time.Millisecond) {
			s, err := d.status(ctx)
			wrong := ""
			for name, limits := range c.want {
				if got := s.Limits[name].Limit; !slices.Contains(limits, got) {
					wrong = fmt.Sprintf("%s is %d, set was %v", name, got, limits)
				}
			}
			if err == nil && wrong == "" {
				break
			}
			if c.run.now()-began > patience {
				c.run.violate("%s lost a change of a limit: %s (%v)", d.name, wrong, err)
				break
			}
		}
	}
}
