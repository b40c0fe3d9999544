package grpclimit

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/headers"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/keys"
)

// denied is the status of a call that may not pass: RESOURCE_EXHAUSTED, with the wait unless
// there is no end to it, and each limit that denies. It does not repeat the client.
func denied(d *node.Detail) error {
	each := d.Each
	if len(each) == 0 {
		each = []node.Decision{d.Decision}
	}
	quota := &errdetails.QuotaFailure{}
	for i := range each {
		if one := &each[i]; !one.Allowed {
			quota.Violations = append(quota.Violations, &errdetails.QuotaFailure_Violation{
				Subject: "limit:" + one.Limit, Description: describe(one), QuotaId: one.Limit, QuotaValue: one.Quota,
			})
		}
	}
	details := []protoadapt.MessageV1{quota}
	text := "rate limit " + d.Limit + ": this call can never pass"
	if !headers.Never(d.RetryAfter) {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(d.RetryAfter)})
		text = fmt.Sprintf("rate limit %s: retry after %v", d.Limit, d.RetryAfter.Round(time.Millisecond))
	}
	s := status.New(codes.ResourceExhausted, text)
	if with, err := s.WithDetails(details...); err == nil { // well-formed messages have a wire form
		s = with
	}
	return s.Err()
}

func describe(d *node.Decision) string {
	if d.Burst == 0 {
		return d.Reason.String()
	}
	return fmt.Sprintf("%d units per %v: %v", d.Quota, d.Window, d.Reason)
}

// pushback tells a client with a retry policy when to try again, or never to.
func pushback(d *node.Decision) metadata.MD {
	wait := int64(-1)
	if !headers.Never(d.RetryAfter) {
		wait = min(max(1, headers.Ceil(d.RetryAfter, time.Millisecond)), math.MaxInt32)
	}
	return metadata.Pairs("grpc-retry-pushback-ms", strconv.FormatInt(wait, 10))
}

// Refuse refuses a call that nobody could decide: INVALID_ARGUMENT if it has no key,
// UNAVAILABLE if the node lacks room, and otherwise INTERNAL. It is the default of
// Config.Failed.
func Refuse(_ Call, err error) error {
	missing := keys.Missing("")
	switch {
	case errors.As(err, &missing):
		return status.Error(codes.InvalidArgument, string(missing))
	case errors.Is(err, ErrNoKey):
		return status.Error(codes.InvalidArgument, "nothing in the call says whom it counts for")
	case errors.Is(err, node.ErrTooManyPolicies), errors.Is(err, node.ErrTooManyHeld):
		return status.Error(codes.Unavailable, "the rate limiter lacks room: try again")
	default:
		return status.Error(codes.Internal, "the call could not be limited")
	}
}

// Pass lets a call pass that nobody could decide, uncounted. With a key that a client can leave
// out, that is a way around the limit.
func Pass(Call, error) error { return nil }
