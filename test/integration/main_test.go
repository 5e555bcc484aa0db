// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/stoatest"
)

// patience is how long something may take that a test waits for. Only a failing
// test waits that long.
const patience = time.Minute

// quiet leaves out the controller that makes a config map in each namespace: tests count
// those that they make.
const quiet = "--controllers=*,-root-ca-certificate-publisher-controller"

// api is the server that the tests share.
var api *stoatest.Server

func TestMain(m *testing.M) {
	if flags := os.Getenv(backendVariable); flags != "" {
		if err := runBackend(strings.Split(flags, "\n")); err != nil {
			fmt.Fprintln(os.Stderr, "server behind:", err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	if testing.Short() {
		fmt.Println("integration tests are skipped under -short")
		return
	}
	ignore := goleak.IgnoreCurrent()
	tb := &packageTB{}
	api = stoatest.Start(tb, stoatest.WithFlags(quiet))
	code := m.Run()
	tb.finish()
	if code == 0 && !tb.failed {
		// Connections of clients live for as long as clients may use them again.
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		eventually(tb, func() string { return text(goleak.Find(append(leakOptions(), ignore)...)) })
	}
	if tb.failed {
		code = 1
	}
	os.Exit(code)
}

// leakOptions leave out the connections that client-go keeps for the whole
// process, whichever test made them.
func leakOptions() []goleak.Option {
	return []goleak.Option{
		// A write that came while plugins were not ready waits for them up to 10 s, though the server is gone.
		goleak.IgnoreAnyFunction("k8s.io/apiserver/pkg/admission.(*Handler).WaitForReady"),
		goleak.IgnoreAnyFunction("k8s.io/apiserver/pkg/endpoints/handlers/finisher.finishRequest.func2.1"), // whose request that is
		goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"),
		goleak.IgnoreAnyFunction("net/http.(*http2clientConnReadLoop).run"),
		goleak.IgnoreAnyFunction("net/http/internal/http2.(*clientConnReadLoop).run"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		// What rotates an audit log has no end.
		goleak.IgnoreTopFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"),
		// Started once for a process by packages of k8s.io.
		goleak.IgnoreTopFunction("k8s.io/klog/v2.(*flushDaemon).run.func1"),
		goleak.IgnoreAnyFunction("k8s.io/apimachinery/pkg/util/wait.Forever"),
		goleak.IgnoreAnyFunction("k8s.io/client-go/transport.(*dynamicClientCert).run"),
	}
}

// packageTB is the test that the shared server belongs to.
type packageTB struct {
	testing.TB
	cleanups []func()
	failed   bool
}

func (p *packageTB) Helper()                  {}
func (p *packageTB) Name() string             { return "TestMain" }
func (p *packageTB) Context() context.Context { return context.Background() }
func (p *packageTB) Cleanup(f func())         { p.cleanups = append(p.cleanups, f) }

func (p *packageTB) Errorf(format string, args ...any) {
	p.failed = true
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

func (p *packageTB) Fatalf(format string, args ...any) {
	p.Errorf(format, args...)
	os.Exit(1)
}

func (p *packageTB) finish() {
	for _, clean := range slices.Backward(p.cleanups) {
		clean()
	}
}

func coreClient(t testing.TB) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func tenancyClient(t testing.TB) versioned.Interface {
	t.Helper()
	client, err := versioned.NewForConfig(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// startError is why a server with these flags does not start.
func startError(t *testing.T, args ...string) error {
	t.Helper()
	options := server.NewOptions()
	options.DataDir, options.Serving.BindPort = t.TempDir(), 0
	flags := options.Flags()
	flags.Usage = func() {}
	if err := flags.Parse(args); err != nil {
		return err
	}
	completed, err := options.Complete(t.Context())
	if err != nil {
		return err
	}
	_, err = server.New(t.Context(), completed)
	return err
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// unique returns a name that no other test uses.
func unique(t testing.TB) string {
	t.Helper()
	name := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(t.Name()), "-"), "-")
	if len(name) > 40 {
		name = name[:40]
	}
	return fmt.Sprintf("%s-%x", strings.Trim(name, "-"), time.Now().UnixNano()&0xffffffff)
}

// newNamespace makes a namespace that no other test uses.
func newNamespace(t testing.TB) string {
	t.Helper()
	name := unique(t)
	obj := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := coreClient(t).CoreV1().Namespaces().Create(t.Context(), obj, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

// request is a call by bare HTTP.
type request struct {
	method, path string
	body         []byte
	header       map[string]string
	// config is who calls. Unset: the administrator of the shared server.
	config *rest.Config
}

// answer is what the server said.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

// do sends a request.
func do(t testing.TB, r request) answer {
	t.Helper()
	out, err := try(t.Context(), r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	return out
}

func try(ctx context.Context, r request) (answer, error) {
	config := r.config
	if config == nil {
		config = api.Config()
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return answer{}, err
	}
	if r.method == "" {
		r.method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, r.method, config.Host+r.path, bytes.NewReader(r.body))
	if err != nil {
		return answer{}, err
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	if r.body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return answer{code: resp.StatusCode, header: resp.Header, body: body}, err
}

// status reads a Status of the API; it fails the test if the body is none.
func (a answer) status(t testing.TB) metav1.Status {
	t.Helper()
	var status metav1.Status
	if err := json.Unmarshal(a.body, &status); err != nil || status.Kind != "Status" || status.APIVersion != "v1" {
		t.Errorf("answer %d is no Status: %.300q", a.code, a.body)
	}
	return status
}

// object reads an object.
func (a answer) object(t testing.TB) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(a.body, &out); err != nil {
		t.Fatalf("answer %d is no JSON: %.300q", a.code, a.body)
	}
	return out
}

// eventually waits until check returns an empty string, which says what is missing.
func eventually(t testing.TB, check func() string) {
	t.Helper()
	missing := ""
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		missing = check()
		return missing == "", nil
	})
	if err != nil {
		t.Fatalf("%s (%v)", missing, err)
	}
}

// text is the text of an error, empty for none.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
