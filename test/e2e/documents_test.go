// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// prologue is what a reader has done before the first command of a document, and what
// it means to start a server in another terminal: bin/stoa start is the function start,
// and behind for one behind that, which is there until the end.
const prologue = `
set -o errexit -o nounset -o pipefail
export KUBECONFIG=$PWD/.stoa/admin.kubeconfig HOME=$PWD
server=
stop() {
  if [[ -n "$server" ]]; then kill "$server"; wait "$server"; fi
  server=
}
start() {
  stop
  bin/stoa start --bind-address=127.0.0.1 --secure-port="$PORT" "$@" > server.log 2>&1 &
  server=$!
  until bin/kubectl get --raw /readyz > /dev/null 2>&1; do
    kill -0 "$server" 2> /dev/null || { server=; cat server.log >&2; exit 1; }
  done
}
behind() {
  bin/stoa start --bind-address=127.0.0.1 "$@" > behind.log 2>&1 &
  others+=("$!")
}
others=()
leave() {
  for other in "${others[@]}"; do kill "$other"; wait "$other"; done
  stop
}
trap 'echo "$here: $BASH_COMMAND" >&2' ERR
trap leave EXIT
here="the first start"
start
`

// The commands of the documents, which are those in blocks marked sh, work as they
// stand, typed one after the other in a folder where nothing was done before.
func TestDocuments(t *testing.T) {
	t.Parallel()
	integration(t)
	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range append(documents, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		script := commandsOf(filepath.Base(document), string(text))
		if script == "" {
			continue
		}
		t.Run(filepath.Base(document), func(t *testing.T) {
			t.Parallel()
			runDocument(t, script)
		})
	}
}

func runDocument(t *testing.T, script string) {
	t.Helper()
	work := filepath.Dir(folder(t))
	for name, target := range map[string]string{"bin": bin, "examples": filepath.Join(root, "examples")} {
		if err := os.Symlink(target, filepath.Join(work, name)); err != nil {
			t.Fatal(err)
		}
	}
	port := strconv.Itoa(freePort(t))
	script = strings.ReplaceAll(script, "127.0.0.1:6443", "127.0.0.1:"+port)
	script = strings.ReplaceAll(script, "7443", strconv.Itoa(freePort(t)))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, "bash", "-c", prologue+script) // of our own documents
	command.Dir, command.Env = work, append(os.Environ(), "PORT="+port)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) } // so that it stops the server
	if out, err := command.CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(work, "server.log")) // there may be none
		behind, _ := os.ReadFile(filepath.Join(work, "behind.log"))
		t.Errorf("%v\n%s\nserver:\n%s\n%s", err, out, log, behind)
	}
}

// commandsOf returns the blocks of a document that are marked sh. Lines that begin with !
// have to fail. Those that watch until they are interrupted are left out.
func commandsOf(name, text string) string {
	var out strings.Builder
	inside := false
	for i, line := range strings.Split(text, "\n") {
		switch {
		case line == "```sh":
			inside = true
			fmt.Fprintf(&out, "here=%s:%d\n", name, i+1)
		case line == "```":
			inside = false
		case inside && !strings.HasSuffix(line, " -w"):
			if arguments, ok := strings.CutPrefix(line, "bin/stoa start"); ok {
				line = "start" + arguments
				if strings.HasPrefix(arguments, " --aggregated") {
					line = "behind" + arguments
				}
			}
			if strings.HasPrefix(line, "! ") { // which errexit does not look at
				line += fmt.Sprintf(" || { echo %s:%d: this was not refused >&2; exit 1; }", name, i+1)
			}
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}
