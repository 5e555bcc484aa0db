// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The commands of the documents do what they say, typed one after the other. Those
// that run until they are interrupted have tests of their own.
func TestCommandsOfDocuments(t *testing.T) {
	t.Parallel()
	integration(t)
	for _, document := range []string{"README.md", "docs/authentication.md", "docs/development.md"} {
		t.Run(document, func(t *testing.T) {
			t.Parallel()
			s := start(t, folder(t))
			text, err := os.ReadFile(filepath.Join(root, document))
			if err != nil {
				t.Fatal(err)
			}
			commands := regexp.MustCompile(`(?m)^bin/kubectl .*$`).FindAllString(string(text), -1)
			if len(commands) < 3 {
				t.Fatalf("there are %d commands", len(commands))
			}
			for _, line := range commands {
				if strings.HasSuffix(line, " -w") {
					continue
				}
				line = strings.ReplaceAll(line, " > heap.prof", " > /dev/null")
				command := exec.CommandContext(t.Context(), "sh", "-c", filepath.Join(bin, strings.TrimPrefix(line, "bin/"))) // of our own documents
				command.Dir, command.Env = root, append(os.Environ(), s.kubectlEnv()...)
				var stderr bytes.Buffer
				command.Stderr = &stderr
				if out, err := command.Output(); err != nil || len(out) == 0 && !strings.Contains(line, "/dev/null") || stderr.Len() > 0 {
					t.Errorf("%s: %v\n%s%s", line, err, out, stderr.String())
				}
			}
		})
	}
}
