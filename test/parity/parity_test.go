// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/stoa-project/stoa/stoatest"
)

var (
	full   = flag.Bool("full", false, "replay every case instead of a sample")
	update = flag.Bool("update", false, "with -full, write testdata/gaps.tsv anew; it never lets a level fall")
	only   = flag.String("only", "", "replay only files whose name contains this")
	show   = flag.Bool("show", false, "print each case that does not agree exactly")
)

const (
	corpus         = "testdata/corpus"
	gapsFile       = "testdata/gaps.tsv"
	exceptionsFile = "testdata/exceptions.yaml"
	// sample is one in how many cases a plain go test replays.
	sample = 12
)

// TestParity replays the corpus on a new server.
func TestParity(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t, stoatest.WithFlags(flags...))
	c, err := newClient(server.Config())
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []Outcome
	for name, view := range views() {
		want := newObject()
		if err := load(filepath.Join(corpus, name+".json.gz"), want); err != nil {
			t.Fatal(err)
		}
		got, err := view(t.Context(), c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if strings.Contains(name, *only) {
			outcomes = append(outcomes, compareMap(name, want.values, got)...)
		}
	}
	if err := setUp(t.Context(), c, filepath.Join(corpus, "_setup.json")); err != nil {
		t.Fatal(err)
	}
	for _, file := range files(t) {
		r := &replay{client: c, file: strings.TrimSuffix(filepath.Base(file), ".json.gz"), record: &record{}, chosen: chosen}
		if err := load(file, r.record); err != nil {
			t.Fatal(err)
		}
		if err := r.run(t.Context()); err != nil {
			t.Fatalf("%s: %v", r.file, err)
		}
		outcomes = append(outcomes, r.out...)
	}
	judge(t, outcomes)
}

// files are the base objects, in the order in which they were recorded.
func files(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(corpus, "[^_]*.json.gz"))
	if err != nil || len(all) == 0 {
		t.Fatalf("corpus: %v, %v", all, err)
	}
	slices.Sort(all)
	return slices.DeleteFunc(all, func(f string) bool { return !strings.Contains(f, *only) })
}

func chosen(file, name string) bool {
	if *full || *only != "" {
		return true
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(file + "\t" + name))
	return h.Sum32()%sample == 0
}

// exception is where Stoa means to differ.
type exception struct {
	// Cases is how the file and name of each case begin, as "file<tab>name".
	Cases string `json:"cases"`
	// Reason says why.
	Reason string `json:"reason"`
}

// judge holds the outcomes against the floor.
func judge(t *testing.T, outcomes []Outcome) {
	t.Helper()
	floor := readGaps(t)
	var exceptions []exception
	raw, err := os.ReadFile(exceptionsFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(raw, &exceptions); err != nil {
		t.Fatalf("%s: %v", exceptionsFile, err)
	}
	gaps := map[string]Level{}
	counts := map[string][]int{}
	for _, o := range outcomes {
		key := o.File + "\t" + o.Case
		excepted := slices.ContainsFunc(exceptions, func(e exception) bool { return strings.HasPrefix(key, e.Cases) })
		if excepted {
			continue
		}
		for _, name := range []string{o.File, "total"} {
			if counts[name] == nil {
				counts[name] = make([]int, Exact+1)
			}
			counts[name][o.Level]++
		}
		want, isGap := floor[key]
		if !isGap && floor != nil {
			want = Exact
		}
		level := o.Level
		if level < want {
			report(t, o, want)
			level = want // the floor does not fall
		}
		if *show && o.Level < Exact {
			t.Logf("%s: %s\n  want %s\n  got  %s", o.File, o.Case, o.Want, o.Got)
		}
		if level < Exact {
			gaps[key] = level
		}
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if *only != "" || *full || name == "total" {
			t.Log(percentages(name, counts[name]))
		}
	}
	if *update && *full && *only == "" {
		writeGaps(t, gaps)
	}
}

func report(t *testing.T, o Outcome, want Level) {
	t.Helper()
	if *update {
		t.Logf("%s: %s agrees at level %s, and did at %s", o.File, o.Case, o.Level, want)
		return
	}
	t.Errorf("%s: %s agrees at level %s, and must at %s\n  want %s\n  got  %s", o.File, o.Case, o.Level, want, o.Want, o.Got)
}

func percentages(name string, counts []int) string {
	all, atLeast := 0, make([]int, len(counts))
	for _, n := range counts {
		all += n
	}
	sum := 0
	for level := Exact; level > None; level-- {
		sum += counts[level]
		atLeast[level] = sum
	}
	share := func(l Level) float64 { return 100 * float64(atLeast[l]) / float64(all) }
	return fmt.Sprintf("%-60s %6d cases  code %6.2f%%  fields %6.2f%%  exact %6.2f%%", name, all, share(Code), share(Fields), share(Exact))
}

// readGaps returns the cases that are known not to agree exactly; nil if that is to
// be found out.
func readGaps(t *testing.T) map[string]Level {
	t.Helper()
	raw, err := os.ReadFile(gapsFile)
	if *update && os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Level{}
	for line := range strings.Lines(string(raw)) {
		level, key, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		i := slices.IndexFunc([]Level{None, Code, Fields}, func(l Level) bool { return l.String() == level })
		if !ok || i < 0 {
			t.Fatalf("%s: bad line %q", gapsFile, line)
		}
		out[key] = Level(i)
	}
	return out
}

func writeGaps(t *testing.T, gaps map[string]Level) {
	t.Helper()
	var out strings.Builder
	for _, key := range slices.Sorted(maps.Keys(gaps)) {
		fmt.Fprintf(&out, "%s\t%s\n", gaps[key], key)
	}
	if err := os.WriteFile(gapsFile, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
