// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/stoa-project/stoa/server"
)

// clientFlags say which server a command talks to, and as whom.
type clientFlags struct{ kubeconfig, context string }

func (f *clientFlags) addTo(command *cobra.Command) {
	flags := command.PersistentFlags()
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "Path to the kubeconfig. Empty: $KUBECONFIG, or that of the administrator in "+
		server.DefaultDataDir+", or ~/.kube/config.")
	flags.StringVar(&f.context, "context", "", "Context of the kubeconfig. Empty: the current one.")
}

// config returns how to reach the server, and the namespace of the context.
func (f *clientFlags) config() (*rest.Config, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.kubeconfig
	if f.kubeconfig == "" && os.Getenv(clientcmd.RecommendedConfigPathEnvVar) == "" {
		own := filepath.Join(server.DefaultDataDir, server.KubeconfigFile)
		if _, err := os.Stat(own); err == nil {
			rules.ExplicitPath = own
		}
	}
	loaded := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: f.context})
	config, err := loaded.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, "", errors.New("there is no kubeconfig: set --kubeconfig or $KUBECONFIG, or run this where the server was started")
	}
	if err != nil {
		return nil, "", fmt.Errorf("kubeconfig: %w", err)
	}
	namespace, _, err := loaded.Namespace()
	return config, namespace, err
}

// client returns a client for the server.
func (f *clientFlags) client() (kubernetes.Interface, error) {
	config, _, err := f.config()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
