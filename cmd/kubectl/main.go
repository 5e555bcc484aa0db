// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Command kubectl is Kubernetes' own kubectl, built from the libraries in go.mod,
// so that trying Stoa needs nothing installed.
package main

import (
	_ "k8s.io/client-go/plugin/pkg/client/auth" // credential plugins of a kubeconfig
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"

	_ "github.com/stoa-project/stoa/version/stamp" // kubectl version
)

func main() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err) // prints as kubectl does, and exits with its codes
	}
}
