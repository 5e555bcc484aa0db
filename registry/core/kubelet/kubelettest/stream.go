// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kubelettest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/portforward"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
	"k8s.io/streaming/pkg/httpstream/wsstream"
)

// streamTimeout is how long a client may take to open its streams.
const streamTimeout = 30 * time.Second

// failure is what a command that exits with 3 reports.
func failure() metav1.Status {
	return metav1.Status{
		Status: metav1.StatusFailure, Reason: remotecommand.NonZeroExitCodeReason,
		Message: "command terminated with exit code 3",
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: remotecommand.ExitCodeCauseType, Message: "3"}}},
	}
}

// command serves exec and attach.
func command(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Get("command") == "refused" {
		http.Error(w, "container is not running", http.StatusConflict)
		return
	}
	var streams map[string]io.ReadWriteCloser
	var done func()
	if wsstream.IsWebSocketRequest(r) {
		streams, done = webSocket(w, r)
	} else {
		streams, done = spdyStreams(w, r)
	}
	if streams == nil {
		return
	}
	defer done()
	if out := streams[corev1.StreamTypeStdout]; out != nil {
		fmt.Fprintln(out, describe(r))
		if in := streams[corev1.StreamTypeStdin]; in != nil {
			_, _ = io.Copy(out, in)
		}
		_ = out.Close()
	}
	if out := streams[corev1.StreamTypeStderr]; out != nil {
		fmt.Fprintln(out, "stderr")
		_ = out.Close()
	}
	status := metav1.Status{Status: metav1.StatusSuccess}
	if query.Get("command") == "fail" {
		status = failure()
	}
	data, err := json.Marshal(status)
	if err == nil {
		_, _ = streams[corev1.StreamTypeError].Write(data)
	}
	_ = streams[corev1.StreamTypeError].Close()
}

// spdyStreams opens the streams that the parameters of a request ask for.
func spdyStreams(w http.ResponseWriter, r *http.Request) (streams map[string]io.ReadWriteCloser, done func()) {
	if _, err := httpstream.Handshake(r, w, []string{remotecommand.StreamProtocolV4Name}); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil, nil
	}
	arrived := make(chan httpstream.Stream)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, _ <-chan struct{}) error {
		arrived <- stream
		return nil
	})
	if conn == nil {
		return nil, nil
	}
	expected := 1 // the error stream
	for _, name := range []string{corev1.ExecStdinParam, corev1.ExecStdoutParam, corev1.ExecStderrParam, corev1.ExecTTYParam} {
		if r.URL.Query().Get(name) == "1" {
			expected++
		}
	}
	streams = map[string]io.ReadWriteCloser{}
	timeout := time.NewTimer(streamTimeout)
	defer timeout.Stop()
	for len(streams) < expected {
		select {
		case stream := <-arrived:
			streams[stream.Headers().Get(corev1.StreamType)] = stream
		case <-timeout.C:
			_ = conn.Close()
			return nil, nil
		}
	}
	return streams, func() { _ = conn.Close() }
}

// webSocket opens the channels of exec in a WebSocket.
func webSocket(w http.ResponseWriter, r *http.Request) (streams map[string]io.ReadWriteCloser, done func()) {
	channels := []wsstream.ChannelType{
		wsstream.ReadChannel, wsstream.WriteChannel, wsstream.WriteChannel, wsstream.WriteChannel, wsstream.ReadChannel,
	}
	conn := wsstream.NewConn(map[string]wsstream.ChannelProtocolConfig{
		remotecommand.StreamProtocolV5Name: {Binary: true, Channels: channels},
	})
	_, opened, err := conn.Open(w, r)
	if err != nil {
		return nil, nil
	}
	return map[string]io.ReadWriteCloser{
		corev1.StreamTypeStdin:  opened[remotecommand.StreamStdIn],
		corev1.StreamTypeStdout: opened[remotecommand.StreamStdOut],
		corev1.StreamTypeStderr: opened[remotecommand.StreamStdErr],
		corev1.StreamTypeError:  opened[remotecommand.StreamErr],
	}, func() { _ = conn.Close() }
}

// portForward answers each connection with what it receives, in upper case.
func portForward(w http.ResponseWriter, r *http.Request) {
	if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardV1Name}); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var wait sync.WaitGroup
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, accepted <-chan struct{}) error {
		wait.Go(func() {
			<-accepted
			defer func() { _ = stream.Close() }()
			if stream.Headers().Get(corev1.StreamType) != corev1.StreamTypeData {
				return // nothing goes wrong
			}
			data := make([]byte, 1024)
			for {
				n, err := stream.Read(data)
				_, _ = stream.Write(bytes.ToUpper(data[:n]))
				if err != nil {
					return
				}
			}
		})
		return nil
	})
	if conn == nil {
		return
	}
	defer func() { _ = conn.Close() }()
	<-conn.CloseChan()
	wait.Wait()
}
