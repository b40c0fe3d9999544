package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const token = "the-token-of-the-operator"

// changes are limits that an operator set while faults went on.
type changes struct {
	run  *run
	made int
	want map[string]int64 // by name: the limit that a node said is in force
}

// one changes a limit at some node, and notes it if the node took it over.
func (c *changes) one(ctx context.Context) {
	if c.want == nil {
		c.want = map[string]int64{}
	}
	name, limit := fmt.Sprintf("set-%d", c.made%5), int64(10+c.made)
	d := c.run.daemons[c.made%len(c.run.daemons)]
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	status, err := send(ctx, c.run.client, http.MethodPut, d.url+"/v1/limits/"+name, token, strings.NewReader(fmt.Sprintf(`{"limit":%d,"window":60}`, limit)), nil)
	if err == nil && status < 300 {
		c.want[name] = limit
		c.made++
	}
}

// judge waits until every node has the limits that were last set.
func (c *changes) judge(ctx context.Context) {
	for _, d := range c.run.daemons {
		for began := c.run.now(); ; pause(ctx, 50*time.Millisecond) {
			s, err := d.status(ctx)
			wrong := ""
			for name, limit := range c.want {
				if got := s.Limits[name].Limit; got != limit {
					wrong = fmt.Sprintf("%s is %d, set was %d", name, got, limit)
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
