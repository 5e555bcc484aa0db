// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/stoa-project/stoa/authn/password"
)

func newHashPasswordCommand() *cobra.Command {
	var algorithm, user, uid string
	var groups []string
	command := &cobra.Command{
		Use:   "hash-password",
		Short: "Print the hash of a password, for --basic-auth-file",
		Long: "Reads a password from standard input, without showing it on a terminal, and prints its hash.\n" +
			"With --user it prints a whole line of the file that --basic-auth-file of stoa start names.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if user == "" && (uid != "" || len(groups) > 0) {
				return errors.New("--uid and --group need --user")
			}
			secret, err := readPassword(cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			hash, err := password.Hash(secret, password.Algorithm(algorithm))
			if err != nil {
				return err
			}
			if user == "" {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), hash)
				return err
			}
			line := []string{hash, user, uid}
			if len(groups) > 0 {
				line = append(line, strings.Join(groups, ","))
			}
			w := csv.NewWriter(cmd.OutOrStdout())
			return errors.Join(w.Write(line), flush(w))
		},
	}
	command.Flags().StringVar(&algorithm, "algorithm", string(password.Argon2id), "One of argon2id, bcrypt.")
	command.Flags().StringVar(&user, "user", "", "Name of the user. Empty: print the hash alone.")
	command.Flags().StringVar(&uid, "uid", "", "UID of the user.")
	command.Flags().StringSliceVar(&groups, "group", nil, "Group of the user. The flag can be given several times.")
	return command
}

func flush(w *csv.Writer) error {
	w.Flush()
	return w.Error()
}

// readPassword reads one line. On a terminal it asks twice.
func readPassword(in io.Reader, prompts io.Writer) ([]byte, error) {
	if file, ok := in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return askPassword(file, prompts)
	}
	const limit = 1 << 16
	data, err := io.ReadAll(io.LimitReader(in, limit))
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r")), nil
}

func askPassword(terminal *os.File, prompts io.Writer) ([]byte, error) {
	var answers [2][]byte
	for i, prompt := range []string{"Password: ", "Once more: "} {
		fmt.Fprint(prompts, prompt)
		answer, err := term.ReadPassword(int(terminal.Fd()))
		fmt.Fprintln(prompts)
		if err != nil {
			return nil, fmt.Errorf("read the password: %w", err)
		}
		answers[i] = answer
	}
	if !bytes.Equal(answers[0], answers[1]) {
		return nil, errors.New("the two passwords differ")
	}
	return answers[0], nil
}
