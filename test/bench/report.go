// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Figure is one measurement.
type Figure struct {
	Name string  `json:"name"`
	Unit string  `json:"unit"`
	Rate float64 `json:"value"`
	// P50 and P99 are latencies in milliseconds, where there are many operations.
	P50 float64 `json:"p50ms,omitempty"`
	P99 float64 `json:"p99ms,omitempty"`
	// Yardstick is the figure that Ratio is relative to.
	Yardstick string  `json:"yardstick,omitempty"`
	Ratio     float64 `json:"ratio,omitempty"`
}

type report struct{ Figures []Figure }

// once adds a single value.
func (r *report) once(name, unit string, value float64) {
	r.Figures = append(r.Figures, Figure{Name: name, Unit: unit, Rate: value})
}

// median adds the median of several values.
func (r *report) median(name, unit string, values []float64) {
	slices.Sort(values)
	r.once(name, unit, values[len(values)/2])
}

// load adds a rate with latencies; yardstick may be empty.
func (r *report) load(name, unit, yardstick string, l result) {
	r.Figures = append(r.Figures, Figure{
		Name: name, Unit: unit, Rate: l.rate(), P50: l.percentile(0.50), P99: l.percentile(0.99), Yardstick: yardstick,
	})
}

// relate fills in the ratios to the yardsticks.
func (r *report) relate() {
	for i := range r.Figures {
		f := &r.Figures[i]
		for _, y := range r.Figures {
			if y.Name == f.Yardstick && y.Rate > 0 {
				f.Ratio = f.Rate / y.Rate
			}
		}
	}
}

func (r *report) print(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHAT\tVALUE\tUNIT\tP50 ms\tP99 ms\tOF YARDSTICK")
	for _, f := range r.Figures {
		latencies := "\t"
		if f.P99 > 0 {
			latencies = fmt.Sprintf("%.2f\t%.2f", f.P50, f.P99)
		}
		ratio := ""
		if f.Ratio > 0 {
			ratio = fmt.Sprintf("%.2f of %s", f.Ratio, f.Yardstick)
		}
		fmt.Fprintln(table, strings.TrimRight(fmt.Sprintf("%s\t%.4g\t%s\t%s\t%s", f.Name, f.Rate, f.Unit, latencies, ratio), "\t"))
	}
	_ = table.Flush()
}

// result is what a load did.
type result struct {
	latencies []time.Duration
	took      time.Duration
	// units counts what is not one for each latency, such as events; zero: one each.
	units int
}

func (r result) rate() float64 {
	n := r.units
	if n == 0 {
		n = len(r.latencies)
	}
	return float64(n) / r.took.Seconds()
}

func (r result) percentile(p float64) float64 {
	if len(r.latencies) == 0 {
		return 0
	}
	slices.Sort(r.latencies)
	return r.latencies[int(p*float64(len(r.latencies)-1))].Seconds() * 1000
}
