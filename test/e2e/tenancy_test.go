// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import "testing"

// People and administrators use kubectl for projects, tenants and grants as for any kind.
// The files are those of the examples.
func TestKubectlTenancy(t *testing.T) {
	t.Parallel()
	integration(t)
	s := start(t, folder(t))
	const (
		olga = " --as=olga --as-group=orange-leads"
		paul = " --as=paul --as-group=purple-leads"
	)
	for _, c := range []step{
		{args: "apply -f examples/tenancy/orange.yaml -f examples/tenancy/purple.yaml -f examples/tenancy/leads.yaml", want: "^tenant.tenancy.stoa.dev/orange created\ntenant.tenancy.stoa.dev/purple created\n.*"},
		{args: "apply -f examples/tenancy/orange.yaml -f examples/tenancy/purple.yaml", want: "tenant.tenancy.stoa.dev/orange unchanged\ntenant.tenancy.stoa.dev/purple unchanged\n"},
		{args: "diff -f examples/tenancy/orange.yaml"},
		{args: "apply -f examples/tenancy/nodes.yaml -f examples/tenancy/only-of-tenants.yaml", want: "^node/machine-1 created\nnode/machine-2 created\n.*"},
		{args: "explain project.spec", want: "^.*displayName\t<string>.*tenant\t<string>"},
		{args: "explain tenant.spec.namespaceDefaults", want: "^.*what every namespace of the tenant has. A change\n    applies to all of them.*enum: None, Tenant"},
		{args: "explain grant.spec.duration", want: `^.*for example "90m" or "8h"`},
		{args: "create -f -", stdin: `{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"t"},"spec":{"owners":[{"kind":"user","name":"a"}],"namespaceDefaults":{"networkIsolation":"tenant","roleBindings":[{"name":"tenant-owners","roleRef":{"kind":"ClusterRole","name":"view"}}]}}}`, code: 1,
			stderr: `The Tenant "t" is invalid:.*spec.owners\[0\].kind: Unsupported value: "user": supported values: .*spec.namespaceDefaults.roleBindings\[0\].name: Invalid value: "tenant-owners": is the binding of the owners.*spec.namespaceDefaults.networkIsolation: Unsupported value: "tenant": supported values: "None", "Tenant"`},
		{args: "create -f -", stdin: `{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"t"}}`, want: "tenant.tenancy.stoa.dev/t created\n",
			stderr: "^Warning: spec.owners: the tenant has no owners, only administrators can use it\n$"},
		{args: "delete tenant t", want: "tenant.tenancy.stoa.dev \"t\" deleted\n"},

		{args: "get projects" + olga, stderr: "^No resources found\n$"},
		{args: "create -f examples/tenancy/web-shop.yaml" + olga, want: "project.tenancy.stoa.dev/web-shop created\n"},
		{args: "create -f examples/tenancy/games.yaml" + paul, want: "project.tenancy.stoa.dev/games created\n"},
		{args: "create -f examples/tenancy/games.yaml" + olga, code: 1, stderr: `projects.tenancy.stoa.dev "games" is forbidden: user "olga" does not own the tenant "purple"`},
		{args: "create -f -", stdin: `{"apiVersion":"tenancy.stoa.dev/v1","kind":"Project","metadata":{"name":"lost"},"spec":{"tenant":"nobodys"}}`, code: 1, stderr: `projects.tenancy.stoa.dev "lost" is forbidden: there is no tenant "nobodys"`},
		{args: "get projects" + olga, want: `^NAME       DISPLAY NAME   TENANT   PHASE    AGE\nweb-shop   Web Shop       orange   Active   \d+s\n$`},
		{args: "get projects --field-selector=spec.tenant=purple -o name", want: "project.tenancy.stoa.dev/games\n"},
		{args: "get project games" + olga, code: 1, stderr: `^Error from server \(NotFound\): projects.tenancy.stoa.dev "games" not found\n$`},
		{args: "describe project web-shop" + olga, want: "^Name: +web-shop\n.*Labels: .*stage=test\n.*Display Name: +Web Shop\n +Tenant: +orange\n"},
		{args: "wait project/web-shop --for=jsonpath={.status.phase}=Active" + olga, want: "project.tenancy.stoa.dev/web-shop condition met\n"},
		{args: "edit project web-shop" + olga, env: []string{"KUBE_EDITOR=sed -i s/Shop/Store/"}, want: "project.tenancy.stoa.dev/web-shop edited\n"},
		{args: "label project web-shop stage=live --overwrite" + olga, want: "project.tenancy.stoa.dev/web-shop labeled\n"},
		{args: "label project web-shop tenancy.stoa.dev/tenant=purple --overwrite" + olga, code: 1, stderr: `metadata.labels\[tenancy.stoa.dev/tenant\]: Forbidden: can only be changed on the namespace`},
		{args: "get project web-shop -o jsonpath={.spec.displayName},{.metadata.labels.stage}" + olga, want: "Web Store,live"},
		{args: "get tenant orange" + olga, want: `^NAME     PHASE    NAMESPACES   AGE\norange   Active   1/3 `},

		{args: "wait rolebinding/tenant-owners serviceaccount/default --for=create -n web-shop --timeout=60s", want: "^.*condition met\n$"},
		{args: "create -f examples/tenancy/pod.yaml" + olga, want: "pod/catalogue created\n"},
		{args: "get pod catalogue -n web-shop -o jsonpath={.spec.nodeSelector}" + olga, want: `{"dedicated":"orange"}`},
		{args: "apply -f examples/tenancy/let-purple-in.yaml" + olga, want: "networkpolicy.networking.k8s.io/let-purple-in created\n"},
		{args: "apply -f examples/tenancy/grant.yaml" + olga, want: "grant.tenancy.stoa.dev/eve created\n"},
		{args: "apply -f examples/tenancy/grant.yaml" + olga, want: "grant.tenancy.stoa.dev/eve unchanged\n"},
		{args: "wait grant/eve --for=condition=InForce -n web-shop --timeout=60s", want: "grant.tenancy.stoa.dev/eve condition met\n"},
		{args: "get grants -n web-shop -o wide" + olga, want: `^NAME   SUBJECT    ROLE               PHASE    EXPIRES   AGE +REASON\neve    User/eve   ClusterRole/view   Active   \d+m .* looks for why the shop is slow\n$`},
		{args: "describe grant eve -n web-shop" + olga, want: "^.*Granted By:.*Username: +olga\n.*Phase: +Active\nEvents:"},
		{args: "get projects -o name --as=eve", want: "project.tenancy.stoa.dev/web-shop\n"},
		{args: "delete grant eve -n web-shop" + olga, want: "grant.tenancy.stoa.dev \"eve\" deleted from web-shop namespace\n"},

		{args: "label namespace games tenancy.stoa.dev/tenant=nobodys --overwrite", code: 1, stderr: `metadata.labels\[tenancy.stoa.dev/tenant\]: there is no tenant "nobodys"`},
		{args: "wait tenant/orange --for=jsonpath={.status.namespaces.names[0]}=web-shop --timeout=60s", want: "tenant.tenancy.stoa.dev/orange condition met\n"},
		{args: "delete tenant orange --wait=false", want: "tenant.tenancy.stoa.dev \"orange\" deleted\n", stderr: `^Warning: tenant "orange" is gone when its namespaces are deleted: web-shop\n$`},
		{args: "wait tenant/orange --for=condition=Terminating --timeout=60s", want: "tenant.tenancy.stoa.dev/orange condition met\n"},
		{args: "get tenants --no-headers", want: `^orange   Terminating   1/3 .*purple   Active        1/5 `},
		{args: "delete project web-shop" + olga, want: "project.tenancy.stoa.dev \"web-shop\" deleted\n"},
		{args: "wait tenant/orange --for=delete --timeout=60s"},
	} {
		c.run(t, s)
	}
}
