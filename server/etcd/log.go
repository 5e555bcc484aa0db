// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"fmt"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"

	"go.etcd.io/raft/v3"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
)

const (
	infoVerbosity    = 4
	debugVerbosity   = 6
	startupVerbosity = 2
)

// logCore writes etcd's zap log to a contextual logger: warnings and errors always, information at V(4), the rest at
// V(6). While the server starts or stops, problems go to V(2), because Start and Stop return them.
type logCore struct {
	logger klog.Logger
	quiet  *atomic.Bool
	fields []zapcore.Field
}

var _ zapcore.Core = (*logCore)(nil)

// newLogger returns a zap logger on top of logger. What etcd reports as fatal, or panics with after logging, goes to
// crash and ends only the goroutine, not the process.
func newLogger(logger klog.Logger, quiet *atomic.Bool, crash *crash) *zap.Logger {
	core := &logCore{logger: klog.LoggerWithName(logger, "etcd"), quiet: quiet}
	return zap.New(core, zap.WithFatalHook(crash), zap.WithPanicHook(crash))
}

func (c *logCore) Enabled(level zapcore.Level) bool {
	switch {
	case level >= zapcore.WarnLevel:
		return true
	case level == zapcore.InfoLevel:
		return c.logger.V(infoVerbosity).Enabled()
	default:
		return c.logger.V(debugVerbosity).Enabled()
	}
}

func (c *logCore) With(fields []zapcore.Field) zapcore.Core {
	all := make([]zapcore.Field, 0, len(c.fields)+len(fields))
	all = append(append(all, c.fields...), fields...)
	return &logCore{logger: c.logger, quiet: c.quiet, fields: all}
}

func (c *logCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) && !isNoise(entry.Message) {
		return checked.AddCore(entry, c)
	}
	return checked
}

func (c *logCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	// What is fatal is returned, and bbolt tells three times what etcd then calls fatal.
	quiet := c.quiet.Load() || entry.Level >= zapcore.DPanicLevel || strings.HasSuffix(entry.LoggerName, "bbolt")
	logger, message := c.logger, sentence(entry.Message)
	switch {
	case entry.Level < zapcore.InfoLevel:
		logger = logger.V(debugVerbosity)
	case entry.Level < zapcore.WarnLevel:
		logger = logger.V(infoVerbosity)
	case quiet:
		logger = logger.V(startupVerbosity)
	}
	if !logger.Enabled() {
		return nil
	}
	keysAndValues := c.keysAndValues(fields)
	if entry.Level == zapcore.ErrorLevel && !quiet {
		logger.Error(causeOf(fields), message, keysAndValues...)
		return nil
	}
	logger.Info(message, keysAndValues...)
	return nil
}

func (c *logCore) Sync() error { return nil }

func (c *logCore) keysAndValues(fields []zapcore.Field) []any {
	encoder := zapcore.NewMapObjectEncoder()
	for _, field := range slices.Concat(c.fields, fields) {
		if !holdsRequest(field) {
			field.AddTo(encoder)
		}
	}
	keys := make([]string, 0, len(encoder.Fields))
	for key := range encoder.Fields {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	out := make([]any, 0, 2*len(keys))
	for _, key := range keys {
		out = append(out, camelCase(key), encoder.Fields[key])
	}
	return out
}

// holdsRequest says whether a field has a whole request, and so the values of secrets. The field "request" of slow
// requests has sizes in place of values.
func holdsRequest(field zapcore.Field) bool {
	return field.Key == "raftReq" || field.Key == "raft-request"
}

// isNoise says whether a warning is wrong for an embedded single member behind a private socket.
func isNoise(message string) bool {
	for _, prefix := range []string{
		"Running http and grpc server on single port",
		"simple token is not cryptographically signed",
		// Until the first snapshot of the log, after some thousand writes, the database has no version to find.
		"Failed to detect storage schema version",
		"failed to detect schema version",
		"failed to update storage version",
		// The caller gets the same error.
		"failed to apply request",
	} {
		if len(message) >= len(prefix) && strings.EqualFold(message[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

func sentence(message string) string {
	for i, r := range message {
		return string(unicode.ToUpper(r)) + message[i+len(string(r)):]
	}
	return message
}

func camelCase(key string) string {
	parts := strings.FieldsFunc(key, func(r rune) bool { return r == '-' || r == '_' || r == ' ' })
	for i := 1; i < len(parts); i++ {
		parts[i] = sentence(parts[i])
	}
	return strings.Join(parts, "")
}

// causeOf returns the error among the fields of a log entry, nil if there is none.
func causeOf(fields []zapcore.Field) error {
	for _, field := range fields {
		if err, ok := field.Interface.(error); ok && field.Type == zapcore.ErrorType {
			return err
		}
	}
	return nil
}

// crash keeps the first unrecoverable problem that etcd reported.
type crash struct {
	once    sync.Once
	done    chan struct{}
	message string
	cause   error
}

var _ zapcore.CheckWriteHook = (*crash)(nil)

func newCrash() *crash { return &crash{done: make(chan struct{})} }

// OnWrite is called by zap in place of os.Exit or panic. It must not return: the code after it expects the process to
// be gone. Ending the goroutine runs its deferred calls, and leaves every lock that it held locked for ever, which is
// wanted: nothing may touch the store after this.
//
// There is one exception. A member that stands for election looks for changes of membership among the entries that it has
// not counted as applied, and panics if these are not in memory any more. That is so for an instant in each start, after
// more than a hundred entries were applied and before they are counted. Going on is right: what is gone was applied, so
// there is no change to wait for, and the membership of a single member does not change anyway.
func (c *crash) OnWrite(entry *zapcore.CheckedEntry, fields []zapcore.Field) {
	if strings.HasPrefix(entry.Message, "error scanning unapplied entries") &&
		strings.HasSuffix(entry.Message, raft.ErrCompacted.Error()) {
		return
	}
	c.record(entry.Message+details(fields), causeOf(fields))
	runtime.Goexit()
}

// details lists the texts among the fields of a log entry: versions, file names.
func details(fields []zapcore.Field) string {
	var list []string
	for _, field := range fields {
		if holdsRequest(field) {
			continue
		}
		switch field.Type {
		case zapcore.StringType:
			list = append(list, camelCase(field.Key)+" "+field.String)
		case zapcore.StringerType:
			list = append(list, fmt.Sprintf("%s %v", camelCase(field.Key), field.Interface))
		default:
		}
	}
	if len(list) == 0 {
		return ""
	}
	return " (" + strings.Join(list, ", ") + ")"
}

func (c *crash) record(message string, cause error) {
	c.once.Do(func() {
		c.message, c.cause = message, cause
		close(c.done)
	})
}

func (c *crash) happened() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}
