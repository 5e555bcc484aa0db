// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/klog/v2"
)

const (
	folderMode = 0o700
	fileMode   = 0o600
	// everybodyMode are the permissions of who is neither the owner nor in the group.
	everybodyMode = 0o007
)

// Prepare makes the file that a server is going to append to, or makes the one that is
// there fit: everybody but its owner and group loses the right to read it, and a line
// that was cut off by a crash ends, so that the next one is a line of its own. Files that
// are rotated get the same permissions.
func Prepare(ctx context.Context, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, fileMode)
	if err != nil {
		return err
	}
	return errors.Join(mend(ctx, file), file.Close())
}

func mend(ctx context.Context, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil // a pipe or a terminal
	}
	if mode := info.Mode().Perm(); mode&everybodyMode != 0 {
		if err := file.Chmod(mode &^ everybodyMode); errors.Is(err, fs.ErrPermission) {
			klog.FromContext(ctx).Info("The file of --audit-log-path can be read by everybody", "file", file.Name(), "mode", mode.String())
		} else if err != nil {
			return err
		}
	}
	if info.Size() == 0 {
		return nil
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if last[0] == '\n' {
		return nil
	}
	if _, err := file.WriteString("\n"); err != nil {
		return fmt.Errorf("end the last line: %w", err)
	}
	return nil
}
