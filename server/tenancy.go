// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/generated/informers/externalversions"
)

// tenancyClient is how the server reads and writes its own objects of the group
// tenancy.stoa.dev. Informers are shared; those that were asked for are started.
type tenancyClient struct {
	client    versioned.Interface
	informers externalversions.SharedInformerFactory
}

func newTenancyClient(config *genericapiserver.Config) (*tenancyClient, error) {
	loopback := rest.CopyConfig(config.LoopbackClientConfig)
	loopback.ContentConfig = rest.ContentConfig{ContentType: runtime.ContentTypeJSON} // the types have no protobuf
	client, err := versioned.NewForConfig(loopback)
	if err != nil {
		return nil, fmt.Errorf("loopback client: %w", err)
	}
	return &tenancyClient{client: client, informers: externalversions.NewSharedInformerFactory(client, resync)}, nil
}

// start is the hook that starts the informers.
func (c *tenancyClient) start(hook genericapiserver.PostStartHookContext) error {
	c.informers.StartWithContext(hook)
	return nil
}
