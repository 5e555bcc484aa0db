// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import "testing"

const (
	machine = `{"apiVersion":"v1","kind":"Node","metadata":{"name":"one"}}`
	placed  = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"placed","labels":{"app":"placed"}},"spec":{"nodeName":"one","containers":[{"name":"c","image":"i"}]}}`
	guard   = `{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"guard"},"spec":{"minAvailable":1,"selector":{"matchLabels":{"app":"placed"}}}}`
	viewers = `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"viewer","namespace":"rights"},"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]}`
)

// commands are those of kubectl that users of a cluster type, with what they print there.
var commands = map[string][]step{
	"workloads": {
		{args: "create deployment web --image=nginx --replicas=2", want: "deployment.apps/web created\n"},
		{args: "scale deployment web --replicas=5", want: "deployment.apps/web scaled\n"},
		{args: "scale deployment web --replicas=1 --current-replicas=9", code: 1, stderr: "^error: Expected replicas to be 9, was 5\n$"},
		{args: "get deployment web --subresource=scale -o jsonpath={.spec.replicas},{.status.selector}", want: "5,app=web"},
		{args: "autoscale deployment web --min=1 --max=3 --cpu=80%", want: "horizontalpodautoscaler.autoscaling/web autoscaled\n"},
		{args: "get hpa", want: `^NAME   REFERENCE        TARGETS              MINPODS   MAXPODS   REPLICAS   AGE\nweb    Deployment/web   cpu: <unknown>/80%   1         3         0          \d+s\n$`},
		{args: "expose deployment web --port=80 --target-port=8080", want: "service/web exposed\n"},
		{args: "get service web -o jsonpath={.spec.ports[0].targetPort},{.spec.selector.app},{.spec.type}", want: "8080,web,ClusterIP"},
		{args: "set image deployment/web nginx=nginx:1.29", want: "deployment.apps/web image updated\n"},
		{args: "set env deployment/web COLOR=red", want: "deployment.apps/web env updated\n"},
		{args: "set env deployment/web --list", want: "# Deployment web, container nginx\nCOLOR=red\n"},
		{args: "set resources deployment web --limits=cpu=200m", want: "deployment.apps/web resource requirements updated\n"},
		{args: "set serviceaccount deployment web robot", want: "deployment.apps/web serviceaccount updated\n"},
		{args: "set selector service web app=other", want: "service/web selector updated\n"},
		{args: "get deployment web -o jsonpath={.metadata.generation},{.spec.template.spec.containers[0].image},{.spec.template.spec.containers[0].resources.limits.cpu},{.spec.template.spec.serviceAccountName}", want: "6,nginx:1.29,200m,robot"},
		{args: "annotate deployment web kubernetes.io/change-cause=mine", want: "deployment.apps/web annotated\n"},
		{args: "label deployment web app=other", code: 1, stderr: `^error: 'app' already has a value \(web\), and --overwrite is false\n$`},
		{args: "label deployment web app=other --overwrite", want: "deployment.apps/web labeled\n"},
		{args: "rollout pause deployment web", want: "deployment.apps/web paused\n"},
		{args: "rollout restart deployment web", code: 1, stderr: `can't restart paused deployment`},
		{args: "rollout resume deployment web", want: "deployment.apps/web resumed\n"},
		{args: "rollout restart deployment web", want: "deployment.apps/web restarted\n"},
		{args: "rollout status deployment web --watch=false", want: "Waiting for deployment spec update to be observed...\n"},
		{args: "rollout history deployment web", want: "^deployment.apps/web"},
		{args: "rollout undo deployment web", code: 1, stderr: `no rollout history found for deployment "web"`},
		{args: "wait deployment/web --for=condition=Available --timeout=1s", code: 1, stderr: "^error: timed out waiting for the condition on deployments/web\n$"},
		{args: `patch deployment web --subresource=status --type=merge -p {"status":{"observedGeneration":99,"replicas":5,"updatedReplicas":5,"readyReplicas":5,"availableReplicas":5,"conditions":[{"type":"Available","status":"True"}]}}`, want: "deployment.apps/web patched\n"},
		{args: "rollout status deployment web", want: "deployment \"web\" successfully rolled out\n"},
		{args: "wait deployment/web --for=condition=Available --timeout=30s", want: "deployment.apps/web condition met\n"},
		{args: "get deployments", want: `^NAME   READY   UP-TO-DATE   AVAILABLE   AGE\nweb    5/5     5            5           \d+s\n$`},
		{args: "get all -o name", want: "service/web\ndeployment.apps/web\nhorizontalpodautoscaler.autoscaling/web\n"},
		{args: "describe deployment web", want: "^Name: +web\n.*5 desired.*nginx:1.29.*Available +True"},
		{args: "delete deployment,service,hpa web --dry-run=server", want: "^deployment.apps \"web\" deleted from workloads namespace \\(server dry run\\)\n"},
		{args: "delete deployment web --cascade=foreground", want: "deployment.apps \"web\" deleted from workloads namespace\n"},
		{args: "wait --for=delete deployment/web --timeout=30s"},
	},
	"pods": {
		{args: "wait serviceaccount/default --for=create --timeout=60s", want: "serviceaccount/default condition met\n"},
		{args: "run once --image=busybox --restart=Never --labels=a=b --env=X=y -- sleep 5", want: "pod/once created\n"},
		{args: "get pod once -o jsonpath={.spec.restartPolicy},{.metadata.labels.a},{.spec.containers[0].args},{.spec.containers[0].env[0].value}", want: `Never,b,["sleep","5"],y`},
		{args: "get pods", want: `^NAME   READY   STATUS    RESTARTS   AGE\nonce   0/1     Pending   0          \d+s\n$`},
		{args: "get pods --show-labels --no-headers", want: `^once +0/1 +Pending +0 +\d+s +a=b\n$`},
		{args: "wait pod/once --for=jsonpath={.spec.restartPolicy}=Never --timeout=30s", want: "pod/once condition met\n"},
		{args: "get pods -o custom-columns=N:.metadata.name,I:.spec.containers[*].image", want: "N      I\nonce   busybox\n"},
		{args: "get pods -o go-template={{range.items}}{{.metadata.name}}{{end}}", want: "once"},
		{args: "expose pod once --port=80 --name=web --type=NodePort", want: "service/web exposed\n"},
		{args: "logs once"},
		{args: "exec once -- true", code: 1, stderr: `pod once does not have a host assigned`},
		{args: "events", stderr: "^No events found in pods namespace.\n$"},
		{args: "delete pod once --now", want: "pod \"once\" deleted from pods namespace\n"},
		{args: "delete services -l a=b", want: "service \"web\" deleted from pods namespace\n"},
	},
	"nodes": {
		{args: "create -f -", stdin: machine, want: "node/one created\n"},
		{args: "taint nodes one dedicated=x:NoSchedule", want: "node/one tainted\n"},
		{args: "taint nodes one dedicated=y:NoSchedule", code: 1, stderr: `^error: node one already has dedicated taint\(s\) with same effect\(s\) and --overwrite is false\n$`},
		{args: "taint nodes one dedicated-", want: "node/one untainted\n"},
		{args: "label node one zone=a", want: "node/one labeled\n"},
		{args: "get nodes -L zone --no-headers", want: `^one +NotReady|Unknown +<none> +\d+s +a\n$`},
		{args: "cordon one", want: "node/one cordoned\n"},
		{args: "cordon one", want: "node/one already cordoned\n"},
		{args: "uncordon one", want: "node/one uncordoned\n"},
		{args: "wait serviceaccount/default --for=create --timeout=60s", want: "serviceaccount/default condition met\n"},
		{args: "create -f -", stdin: placed, want: "pod/placed created\n"},
		{args: `patch pod placed --subresource=status --type=merge -p {"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}`, want: "pod/placed patched\n"},
		{args: "create -f -", stdin: guard, want: "poddisruptionbudget.policy/guard created\n"},
		{args: "drain one", code: 1, want: "node/one cordoned\n", stderr: "cannot delete Pods that declare no controller \\(use --force to override\\): nodes/placed"},
		{args: "drain one --force --grace-period=0 --timeout=1s", code: 1, want: "^node/one already cordoned\n", stderr: "Cannot evict pod as it would violate the pod's disruption budget"},
		{args: "delete pdb guard", want: "poddisruptionbudget.policy \"guard\" deleted from nodes namespace\n"},
		{args: "drain one --force --grace-period=0", want: "node/one already cordoned\nevicting pod nodes/placed\npod/placed evicted\nnode/one drained\n", stderr: "^Warning: deleting Pods that declare no controller: nodes/placed\n$"},
		{args: "describe node one", want: "^Name: +one\n.*Unschedulable: +true\n"},
		{args: "top nodes", code: 1, stderr: "^error: Metrics API not available\n$"},
		{args: "delete node one", want: "node \"one\" deleted\n", stderr: "^Warning: deleting cluster-scoped resources, not scoped to the provided namespace\n$"},
	},
	"create": {
		{args: "create serviceaccount robot", want: "serviceaccount/robot created\n"},
		{args: "create token robot --duration=10m", want: `^[\w-]+\.[\w-]+\.[\w-]+$`},
		{args: "create configmap c --from-literal=a=b --from-file=examples/tenant.yaml", want: "configmap/c created\n"},
		{args: "create secret docker-registry s --docker-server=x --docker-username=u --docker-password=p", want: "secret/s created\n"},
		{args: "create job j --image=busybox -- true", want: "job.batch/j created\n"},
		{args: "create cronjob cj --image=busybox --schedule '*/5 * * * *'", want: "cronjob.batch/cj created\n"},
		{args: "create job from --from=cronjob/cj", want: "job.batch/from created\n"},
		{args: "create ingress i --rule=example.com/*=web:80", want: "ingress.networking.k8s.io/i created\n"},
		{args: "create service clusterip a --tcp=80", want: "service/a created\n"},
		{args: "create service nodeport b --tcp=80:8080", want: "service/b created\n"},
		{args: "create service loadbalancer c --tcp=80", want: "service/c created\n"},
		{args: "create service externalname d --external-name=example.com", want: "service/d created\n"},
		{args: "create role r --verb=get,list --resource=pods,deployments.apps", want: "role.rbac.authorization.k8s.io/r created\n"},
		{args: "create rolebinding rb --role=r --user=ann", want: "rolebinding.rbac.authorization.k8s.io/rb created\n"},
		{args: "set subject rolebinding rb --user=bob", want: "rolebinding.rbac.authorization.k8s.io/rb subjects updated\n"},
		{args: "create clusterrole cr --verb=get --non-resource-url=/metrics", want: "clusterrole.rbac.authorization.k8s.io/cr created\n"},
		{args: "create clusterrolebinding crb --clusterrole=cr --group=readers", want: "clusterrolebinding.rbac.authorization.k8s.io/crb created\n"},
		{args: "create quota q --hard=pods=9,count/leases.coordination.k8s.io=3", want: "resourcequota/q created\n"},
		{args: "create poddisruptionbudget p --selector=a=b --max-unavailable=1", want: "poddisruptionbudget.policy/p created\n"},
		{args: "create priorityclass pc --value=5", want: "priorityclass.scheduling.k8s.io/pc created\n"},
		{args: "get rolebinding rb -o jsonpath={.subjects[*].name}", want: "ann bob"},
		{args: "get services --sort-by=.spec.type -o custom-columns=T:.spec.type --no-headers", want: "ClusterIP\nExternalName\nLoadBalancer\nNodePort\n"},
		{args: "get cronjob cj --no-headers", want: `^cj +\*/5 \* \* \* \* +<none> +False +0 +<none> +\d+s\n$`},
		{args: "describe quota q", want: "^Name: +q\nNamespace: +create\n"},
	},
	"rights": {
		{args: "auth can-i create pods", want: "yes\n"},
		{args: "auth can-i delete nodes --as=ann", want: "no\n", code: 1, stderr: "^Warning: resource 'nodes' is not namespace scoped\n\n$"},
		{args: "auth can-i get pods/log --as=ann", want: "no\n", code: 1},
		{args: "auth reconcile -f -", stdin: viewers, want: "role.rbac.authorization.k8s.io/viewer reconciled\n", stderr: "^\treconciliation required create\n"},
		{args: "create rolebinding view --clusterrole=view --user=ann", want: "rolebinding.rbac.authorization.k8s.io/view created\n"},
		{args: "wait --for=jsonpath={.metadata.name}=view rolebinding/view --timeout=30s", want: "rolebinding.rbac.authorization.k8s.io/view condition met\n"},
		{args: "auth can-i --list --as=nobody", want: `^Resources +Non-Resource URLs +Resource Names +Verbs\n.*selfsubjectreviews.authentication.k8s.io +\[\] +\[\] +\[create\]\n`},
		{args: "auth whoami", want: `^ATTRIBUTE +VALUE\nUsername +\S+\nGroups +\[.*system:authenticated\]\n`},
		{args: "auth whoami --as=ann --as-group=team -o jsonpath={.status.userInfo}", want: `{"groups":["team","system:authenticated"],"username":"ann"}`},
		{args: "get nodes --as=ann", code: 1, stderr: `^Error from server \(Forbidden\): nodes is forbidden: User "ann" cannot list resource "nodes" in API group "" at the cluster scope\n$`},
	},
	"documents": {
		{args: "explain pods.spec.containers.image", want: "^KIND:       Pod\nVERSION:    v1\n\nFIELD: image <string>\n"},
		{args: "explain deployments --api-version=apps/v1", want: "^GROUP:      apps\nKIND:       Deployment\nVERSION:    v1\n"},
		{args: "explain networkpolicies.spec.ingress --recursive", want: "^GROUP: +networking.k8s.io\n.*namespaceSelector\t<LabelSelector>"},
		{args: "explain pod.spec.none", code: 1, stderr: `^error: field "none" does not exist\n$`},
		{args: "api-resources --namespaced=false --api-group=rbac.authorization.k8s.io --no-headers", want: "^clusterrolebindings +rbac.authorization.k8s.io/v1 +false +ClusterRoleBinding\nclusterroles +rbac.authorization.k8s.io/v1 +false +ClusterRole\n$"},
		{args: "api-resources --api-group=apps --sort-by=kind -o wide --no-headers", want: "^controllerrevisions .*deployments +deploy +apps/v1 +true +Deployment +create,delete,deletecollection,get,list,patch,update,watch +all\n"},
		{args: "api-resources --verbs=none -o name"},
		{args: "cluster-info", want: "^.*Kubernetes control plane.* is running at "},
		{args: "get none", code: 1, stderr: `^error: the server doesn't have a resource type "none"\n$`},
		{args: "get pods --field-selector=spec.none=a", code: 1, stderr: `^Error from server \(BadRequest\): Unable to find "/v1, Resource=pods" that match label selector "", field selector "spec.none=a": field label not supported: spec.none\n$`},
		{args: "get namespaces --chunk-size=1 -o name", want: "^namespace/"},
		{args: "certificate approve none", code: 1, stderr: `^Error from server \(NotFound\): certificatesigningrequests.certificates.k8s.io "none" not found\n$`},
		{args: "diff -f examples/namespace.yaml", code: 1, want: "^diff -u -N .*\n"},
	},
}

// TestKubectlCommands types the commands of each row one after the other, in a namespace
// of its own.
func TestKubectlCommands(t *testing.T) {
	t.Parallel()
	integration(t)
	s := start(t, folder(t))
	for name, steps := range commands {
		s.kubectl(t, "create", "namespace", name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range steps {
				c.args = "--namespace=" + name + " " + c.args
				c.run(t, s)
			}
		})
	}
}
