// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stoa-project/stoa/registry/core/kubelet/kubelettest"
)

// TestKubectlStreams reaches a kubelet through the server with every command of
// kubectl that can.
func TestKubectlStreams(t *testing.T) {
	t.Parallel()
	integration(t)
	kubelet := kubelettest.Start(t)
	s := start(t, folder(t), "--kubelet-certificate-authority="+kubelet.CAFile)
	const manifests = `
apiVersion: v1
kind: Node
metadata: {name: node1}
---
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: default}
spec:
  nodeName: node1
  containers: [{name: main, image: x, stdin: true}, {name: side, image: x}]
`
	node := fmt.Sprintf(`{"status":{"addresses":[{"type":"InternalIP","address":%q}],"daemonEndpoints":{"kubeletEndpoint":{"Port":%d}}}}`, kubelet.Host, kubelet.Port)
	for _, c := range []step{
		{args: "create -f -", stdin: manifests, want: "node/node1 created\npod/one created\n"},
		{args: "patch node node1 --subresource=status -p '" + node + "'", want: "node/node1 patched\n"},
		{args: `patch pod one --subresource=status -p '{"status":{"phase":"Running"}}'`, want: "pod/one patched\n"},

		{args: "logs one -c side --tail=5", want: "GET /containerLogs/default/one/side?tailLines=5 kube-apiserver-kubelet-client\n"},
		{args: "logs one", want: "^GET /containerLogs/default/one/main ", stderr: "Defaulted container"},
		{args: "logs one -c main --previous", code: 1, stderr: "previous terminated container not found"},
		{args: "logs one -c third", code: 1, stderr: "container third is not valid for pod one"},
		{args: "exec one -c main -i -- cat", stdin: "hello\n", want: "^POST /exec/default/one/main.command=cat&error=1&input=1&output=1 .*\nhello\n$", stderr: "stderr\n"},
		{args: "exec one -c main -- fail", code: 3, stderr: "command terminated with exit code 3"},
		{args: "attach one -c main -i", stdin: "hello\n", want: "^POST /attach/default/one/main.*\nhello\n$", stderr: "stderr\n"},
		{args: "get --raw /api/v1/nodes/node1/proxy/stats/summary", want: "GET /stats/summary kube-apiserver-kubelet-client\n"},
	} {
		c.run(t, s)
	}
	checkPortForward(t, s)
	checkProxy(t, s)
}

// printed waits for a line on the standard output of a process and returns the
// match of the pattern's group.
func printed(t *testing.T, p *process, pattern string) string {
	t.Helper()
	var found string
	eventually(t, "output of "+p.command.Path, func() error {
		match := regexp.MustCompile(pattern).FindStringSubmatch(p.stdout.String())
		if match == nil {
			return errors.New("not there yet")
		}
		found = match[1]
		return nil
	})
	return found
}

func checkPortForward(t *testing.T, s *server) {
	t.Helper()
	forward := launch(t, s.kubectlEnv(), "kubectl", "port-forward", "one", ":80", "--address=127.0.0.1")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", printed(t, forward, `Forwarding from (127\.0\.0\.1:\d+)`))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "hello\n")
	line, readErr := bufio.NewReader(conn).ReadString('\n')
	if err != nil || readErr != nil || line != "HELLO\n" {
		t.Errorf("port-forward: %q, %v, %v", line, err, readErr)
	}
}

func checkProxy(t *testing.T, s *server) {
	t.Helper()
	proxy := launch(t, s.kubectlEnv(), "kubectl", "proxy", "--port=0")
	url := "http://" + printed(t, proxy, `Starting to serve on (\S+)`) + "/api/v1/nodes/node1/proxy/healthz"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || !strings.HasPrefix(string(body), "GET /healthz ") {
		t.Errorf("proxy: %q, %v", body, err)
	}
}
