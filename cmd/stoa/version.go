// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/stoa-project/stoa/version"
)

func newVersionCommand() *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "version",
		Short: "Print the version of Stoa and of the Kubernetes that it implements",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var data []byte
			var err error
			switch info := version.Get(); output {
			case "":
				data = []byte(info.String())
			case "json":
				data, err = json.MarshalIndent(info, "", "  ")
				data = append(data, '\n')
			case "yaml":
				data, err = yaml.Marshal(info)
			default:
				err = fmt.Errorf("--output must be json or yaml, not %q", output)
			}
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(data)
			return err
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "", "One of json, yaml. Empty: text.")
	return command
}
