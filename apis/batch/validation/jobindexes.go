// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strconv"
	"strings"
)

// interval is a range of indexes, both ends included.
type interval struct{ first, last int32 }

// parseInterval reads "3" or "3-5".
func parseInterval(text string, completions int32) (interval, error) {
	parts := strings.Split(text, "-")
	if len(parts) > 2 {
		return interval{}, fmt.Errorf("the fragment %q violates the requirement that an index interval can have at most two parts separated by '-'", text)
	}
	var ends []int32
	for _, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil {
			return interval{}, fmt.Errorf("cannot convert string to integer for index: %q", part)
		}
		if n >= int(completions) {
			return interval{}, fmt.Errorf("too large index: %q", part)
		}
		ends = append(ends, int32(n)) //nolint:gosec // it is below completions
	}
	out := interval{ends[0], ends[len(ends)-1]}
	if len(ends) == 2 && out.first >= out.last {
		return interval{}, fmt.Errorf("non-increasing order, previous: %d, current: %d", out.first, out.last)
	}
	return out, nil
}

// countIndexes returns how many indexes a list such as "1,3-5" has, which must be
// in order and below completions.
func countIndexes(list string, completions int32) (int32, error) {
	if list == "" {
		return 0, nil
	}
	var total, last int32
	for i, text := range strings.Split(list, ",") {
		in, err := parseInterval(text, completions)
		if err != nil {
			return 0, err
		}
		if i > 0 && last >= in.first {
			return 0, fmt.Errorf("non-increasing order, previous: %d, current: %d", last, in.first)
		}
		total += in.last - in.first + 1
		last = in.last
	}
	return total, nil
}

// parsable returns the intervals of a list that can be read, and skips the others.
func parsable(list string, completions int32) []interval {
	var out []interval
	for text := range strings.SplitSeq(list, ",") {
		if in, err := parseInterval(text, completions); err == nil {
			out = append(out, in)
		}
	}
	return out
}

// overlap says where two lists have an index in common.
func overlap(completed, failed string, completions int32) error {
	if completed == "" || failed == "" {
		return nil
	}
	c, f := parsable(completed, completions), parsable(failed, completions)
	for len(c) > 0 && len(f) > 0 {
		if c[0].first <= f[0].last && f[0].first <= c[0].last {
			return fmt.Errorf("failedIndexes and completedIndexes overlap at index: %d", max(c[0].first, f[0].first))
		}
		if c[0].first <= f[0].first {
			c = c[1:]
		} else {
			f = f[1:]
		}
	}
	return nil
}
