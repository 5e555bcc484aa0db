// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/server/pki"
)

// defaultLifetime is short: a certificate cannot be taken back.
const defaultLifetime = 24 * time.Hour

func newKubeconfigCommand() *cobra.Command {
	var dataDir, url, out, namespace string
	var client pki.Client
	command := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print a kubeconfig for a user, with a new client certificate",
		Long: "Signs a client certificate with the CA of the server whose data folder this is, and prints a kubeconfig with it.\n" +
			"The server need not run, but must have been started once. A certificate cannot be taken back: it is good until it expires.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if client.User == "" {
				return errors.New("--user must be set")
			}
			if client.Lifetime <= 0 {
				return errors.New("--for must be positive")
			}
			if _, err := os.Lstat(out); out != "" && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("--out: %s exists already", out)
			}
			k, expires, err := server.ClientKubeconfig(cmd.Context(), dataDir, client)
			if err != nil {
				return err
			}
			k.Namespace = namespace
			if url != "" {
				k.Server = url
			}
			if out != "" {
				if err := pki.WriteKubeconfig(out, k); err != nil {
					return err
				}
			} else {
				content, err := k.Encode()
				if err != nil {
					return err
				}
				if _, err := cmd.OutOrStdout().Write(content); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(cmd.ErrOrStderr(), "The certificate of %q is good until %s.\n", client.User, expires.Format(time.RFC3339))
			return err
		},
	}
	flags := command.Flags()
	flags.StringVar(&client.User, "user", "", "Name of the user. Required.")
	flags.StringSliceVar(&client.Groups, "group", nil, "Group of the user. The flag can be given several times.")
	flags.DurationVar(&client.Lifetime, "for", defaultLifetime, "How long the certificate is good.")
	flags.StringVar(&dataDir, "data-dir", server.DefaultDataDir, "Data folder of the server.")
	flags.StringVar(&url, "server", "", "URL of the server. Empty: that in the administrator's kubeconfig.")
	flags.StringVar(&namespace, "namespace", "", "Namespace of the context. Empty: default.")
	flags.StringVar(&out, "out", "", "File to write, with mode 0600, which must not exist. Empty: standard output.")
	return command
}
