// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Command informer prints what happens to tenants, and how many there are, until
// it is interrupted. It shows the generated clientset, informers and listers; the
// informer connects again by itself when the server was away.
//
//	go run ./examples/informer --kubeconfig .stoa/admin.kubeconfig
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/generated/informers/externalversions"
)

func main() {
	kubeconfig := flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "File that names the server and the user. Default: $KUBECONFIG.")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig); err != nil {
		fmt.Fprintln(os.Stderr, "informer:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to do
	}
}

func run(ctx context.Context, kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := versioned.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := externalversions.NewSharedInformerFactory(client, 0)
	tenants := factory.Tenancy().V1().Tenants()
	lister := tenants.Lister()
	report := func(event string, obj any) {
		if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok { // deleted while the connection was down
			obj = gone.Obj
		}
		all, _ := lister.List(labels.Everything()) // reads memory, cannot fail
		tenant := obj.(*tenancyv1.Tenant)
		fmt.Printf("%s %s (%s), tenants: %d\n", event, tenant.Name, tenant.Spec.DisplayName, len(all))
	}
	_, err = tenants.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { report("added", obj) },
		UpdateFunc: func(_, obj any) { report("changed", obj) },
		DeleteFunc: func(obj any) { report("deleted", obj) },
	})
	if err != nil {
		return err
	}
	factory.StartWithContext(ctx)
	defer factory.Shutdown()
	factory.WaitForCacheSyncWithContext(ctx)
	fmt.Println("watching")
	<-ctx.Done()
	return nil
}
