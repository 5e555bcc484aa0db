// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiserver "k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/authz"
	"github.com/stoa-project/stoa/authz/abac"
	"github.com/stoa-project/stoa/authz/node"
	"github.com/stoa-project/stoa/authz/rbac"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/server/bootstrap"
)

// The modes of authorization that the server knows.
const (
	// ModeABAC allows what the lines of a file allow.
	ModeABAC        = "ABAC"
	ModeAlwaysAllow = "AlwaysAllow"
	ModeAlwaysDeny  = "AlwaysDeny"
	// ModeNode allows nodes what is theirs.
	ModeNode = "Node"
	// ModeWebhook asks somebody else.
	ModeWebhook = "Webhook"
	// ModeRBAC allows what roles allow. Where they are not served, the default cluster
	// roles and bindings of Kubernetes hold.
	ModeRBAC = "RBAC"
)

// Modes are those that the server knows.
func Modes() []string {
	return []string{ModeABAC, ModeAlwaysAllow, ModeAlwaysDeny, ModeNode, ModeRBAC, ModeWebhook}
}

// AuthorizationOptions say who may do what. The group system:masters may do
// everything.
type AuthorizationOptions struct {
	// Modes are asked in this order, until one allows or denies.
	Modes []string
	// PolicyFile has the lines of ModeABAC. It is read once.
	PolicyFile string
	// Webhook is whom ModeWebhook asks.
	Webhook AuthorizationWebhook
	// ConfigFile is an AuthorizationConfiguration that takes the place of Modes and
	// Webhook. It is read again when it changes. Empty: those hold.
	ConfigFile string

	flags *pflag.FlagSet // nil without flags
}

// AuthorizationWebhook is somebody else who decides.
type AuthorizationWebhook struct {
	// ConfigFile is a kubeconfig file with his address.
	ConfigFile string
	// Version is that of the group authorization.k8s.io that he understands.
	Version string
	// AuthorizedTTL and UnauthorizedTTL are how long an answer is kept; 0 is not at all.
	AuthorizedTTL, UnauthorizedTTL time.Duration
}

const (
	flagMode              = "authorization-mode"
	flagPolicyFile        = "authorization-policy-file"
	flagWebhookFile       = "authorization-webhook-config-file"
	flagWebhookVersion    = "authorization-webhook-version"
	flagWebhookAllowed    = "authorization-webhook-cache-authorized-ttl"
	flagWebhookNotAllowed = "authorization-webhook-cache-unauthorized-ttl"
	flagConfig            = "authorization-config"
	// webhookTimeout is how long a webhook has that flags name.
	webhookTimeout = 30 * time.Second
)

func newAuthorizationOptions() *AuthorizationOptions {
	return &AuthorizationOptions{
		Modes:   []string{ModeNode, ModeRBAC},
		Webhook: AuthorizationWebhook{Version: "v1beta1", AuthorizedTTL: 5 * time.Minute, UnauthorizedTTL: 30 * time.Second}, //nolint:mnd // upstream's
	}
}

// AddFlags adds kube-apiserver's flags.
func (o *AuthorizationOptions) AddFlags(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.Modes, flagMode, o.Modes,
		"Ordered list of plug-ins to do authorization on secure port. Comma-delimited list of: "+strings.Join(Modes(), ",")+".")
	flags.StringVar(&o.PolicyFile, flagPolicyFile, o.PolicyFile, "File with authorization policy in json line by line format, used with --authorization-mode=ABAC, on the secure port.")
	flags.StringVar(&o.Webhook.ConfigFile, flagWebhookFile, o.Webhook.ConfigFile, "File with webhook configuration in kubeconfig format, used with --authorization-mode=Webhook. The API server will query the remote service to determine access on the API server's secure port.")
	flags.StringVar(&o.Webhook.Version, flagWebhookVersion, o.Webhook.Version, "The API version of the authorization.k8s.io SubjectAccessReview to send to and expect from the webhook.")
	flags.DurationVar(&o.Webhook.AuthorizedTTL, flagWebhookAllowed, o.Webhook.AuthorizedTTL, "The duration to cache 'authorized' responses from the webhook authorizer.")
	flags.DurationVar(&o.Webhook.UnauthorizedTTL, flagWebhookNotAllowed, o.Webhook.UnauthorizedTTL, "The duration to cache 'unauthorized' responses from the webhook authorizer.")
	flags.StringVar(&o.ConfigFile, flagConfig, o.ConfigFile, "File with Authorization Configuration to configure the authorizer chain. This flag is mutually exclusive with --authorization-mode and --authorization-webhook-*.")
	o.flags = flags
}

// Validate reports everything that is wrong with the options and the files.
func (o *AuthorizationOptions) Validate() []error {
	if o.ConfigFile != "" {
		return o.validateFile()
	}
	errs := o.ValidateModes()
	if slices.Contains(o.Modes, ModeABAC) && o.PolicyFile != "" {
		if _, err := abac.NewFromFile(o.PolicyFile); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", flagPolicyFile, err))
		}
	}
	return errs
}

func (o *AuthorizationOptions) validateFile() []error {
	for _, name := range []string{flagMode, flagWebhookFile, flagWebhookVersion, flagWebhookAllowed, flagWebhookNotAllowed} {
		if o.flags != nil && o.flags.Changed(name) {
			return []error{fmt.Errorf("--%s can not be specified when --%s or --authorization-webhook-* flags are defined", flagConfig, flagMode)}
		}
	}
	if _, _, err := o.readFile(); err != nil {
		return []error{err}
	}
	return nil
}

// readFile returns the configuration of a file, and its content.
func (o *AuthorizationOptions) readFile() (*apiserver.AuthorizationConfiguration, []byte, error) {
	data, err := os.ReadFile(o.ConfigFile)
	if err != nil {
		return nil, nil, fmt.Errorf("--%s: %w", flagConfig, err)
	}
	configuration, err := authz.Parse(data, Modes())
	if err != nil {
		return nil, nil, fmt.Errorf("--%s %s: %w", flagConfig, o.ConfigFile, err)
	}
	return configuration, data, nil
}

// ValidateModes reports what is wrong with the modes.
func (o *AuthorizationOptions) ValidateModes() []error {
	var errs []error
	known := Modes()
	if len(o.Modes) == 0 {
		errs = append(errs, errors.New("at least one authorization-mode must be passed"))
	}
	for _, mode := range o.Modes {
		if !slices.Contains(known, mode) {
			errs = append(errs, fmt.Errorf("authorization-mode %q is not a valid mode", mode))
		}
	}
	if sorted := slices.Sorted(slices.Values(o.Modes)); len(slices.Compact(sorted)) != len(o.Modes) {
		errs = append(errs, fmt.Errorf("authorization-mode %q has mode specified more than once", o.Modes))
	}
	switch used := slices.Contains(o.Modes, ModeABAC); {
	case used && o.PolicyFile == "":
		errs = append(errs, errors.New("authorization-mode ABAC's authorization policy file not passed"))
	case !used && o.PolicyFile != "":
		errs = append(errs, fmt.Errorf("cannot specify --%s without mode ABAC", flagPolicyFile))
	}
	switch used := slices.Contains(o.Modes, ModeWebhook); {
	case used && o.Webhook.ConfigFile == "":
		errs = append(errs, errors.New("authorization-mode Webhook's authorization config file not passed"))
	case !used && o.Webhook.ConfigFile != "":
		errs = append(errs, fmt.Errorf("cannot specify --%s without mode Webhook", flagWebhookFile))
	}
	return errs
}

// allowsAll says whether the flags let everybody do everything.
func (o *AuthorizationOptions) allowsAll() bool {
	return o.ConfigFile == "" && slices.Contains(o.Modes, ModeAlwaysAllow)
}

// configuration says the same as the flags.
func (o *AuthorizationOptions) configuration() *apiserver.AuthorizationConfiguration {
	out := &apiserver.AuthorizationConfiguration{}
	for _, mode := range o.Modes {
		a := apiserver.AuthorizerConfiguration{Type: apiserver.AuthorizerType(mode), Name: strings.ToLower(mode)}
		if mode == ModeWebhook {
			a.Name = "default" // as in Kubernetes
			a.Webhook = &apiserver.WebhookConfiguration{
				AuthorizedTTL: metav1.Duration{Duration: o.Webhook.AuthorizedTTL}, CacheAuthorizedRequests: true,
				UnauthorizedTTL: metav1.Duration{Duration: o.Webhook.UnauthorizedTTL}, CacheUnauthorizedRequests: true,
				Timeout: metav1.Duration{Duration: webhookTimeout}, FailurePolicy: apiserver.FailurePolicyNoOpinion,
				SubjectAccessReviewVersion: o.Webhook.Version, MatchConditionSubjectAccessReviewVersion: "v1",
				ConnectionInfo: apiserver.WebhookConnectionInfo{
					Type: apiserver.AuthorizationWebhookConnectionInfoTypeKubeConfigFile, KubeConfigFile: &o.Webhook.ConfigFile,
				},
			}
		}
		out.Authorizers = append(out.Authorizers, a)
	}
	return out
}

// authorize sets who may do what, and returns who knows about roles. A configuration
// file is followed while the server runs.
func (c CompletedOptions) authorize(config *genericapiserver.Config, client kubernetes.Interface, factory informers.SharedInformerFactory) (kind.RoleResolver, error) {
	o := c.Authorization
	roles, err := c.roles(config, factory)
	if err != nil {
		return nil, err
	}
	nodes, err := c.nodes(config, client)
	if err != nil {
		return nil, err
	}
	modes := map[string]authz.Mode{
		ModeAlwaysAllow: authorizerfactory.NewAlwaysAllowAuthorizer(), ModeAlwaysDeny: authorizerfactory.NewAlwaysDenyAuthorizer(),
		ModeNode: nodes, ModeRBAC: roles,
	}
	if o.PolicyFile != "" {
		if modes[ModeABAC], err = abac.NewFromFile(o.PolicyFile); err != nil {
			return nil, fmt.Errorf("--%s: %w", flagPolicyFile, err)
		}
	}
	configuration, data := o.configuration(), []byte(nil)
	if o.ConfigFile != "" {
		if configuration, data, err = o.readFile(); err != nil {
			return nil, err
		}
	}
	chain, err := authz.NewChain(modes, config.APIServerID, configuration)
	if err != nil {
		return nil, fmt.Errorf("authorization: %w", err)
	}
	if o.ConfigFile != "" || slices.Contains(o.Modes, ModeNode) {
		err := config.AddPostStartHook("start-node-authorizer", func(hook genericapiserver.PostStartHookContext) error {
			go nodes.Run(hook)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if o.ConfigFile != "" {
		err := config.AddPostStartHook("start-authorization-config-reload", func(hook genericapiserver.PostStartHookContext) error {
			go chain.Follow(hook, "--"+flagConfig, o.ConfigFile, Modes(), data)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	config.Authorization.Authorizer, config.RuleResolver = chain, chain
	return roles, nil
}

// roles returns what knows the roles that are stored, or the default ones if none are.
func (c CompletedOptions) roles(config *genericapiserver.Config, factory informers.SharedInformerFactory) (*rbac.Authorizer, error) {
	v1 := schema.GroupVersion{Group: "rbac.authorization.k8s.io", Version: "v1"}
	if servesAll(c.Groups, config, []schema.GroupVersionResource{
		v1.WithResource("roles"), v1.WithResource("rolebindings"), v1.WithResource("clusterroles"), v1.WithResource("clusterrolebindings"),
	}) {
		return rbac.New(factory.Rbac().V1())
	}
	roles, bindings, err := bootstrap.ClusterAccess()
	if err != nil {
		return nil, err
	}
	return rbac.NewFixed(rbac.Policy{ClusterRoles: roles, ClusterRoleBindings: bindings})
}

// nodes returns what knows which objects belong to a node, as far as they are served.
func (c CompletedOptions) nodes(config *genericapiserver.Config, client kubernetes.Interface) (*node.Authorizer, error) {
	roles, _, err := bootstrap.ClusterAccess()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(roles, func(r *rbacv1.ClusterRole) bool { return r.Name == "system:node" })
	if i < 0 {
		return nil, errors.New("there is no default cluster role system:node")
	}
	sources := slices.DeleteFunc(node.Sources(client), func(s node.Source) bool { return !serves(c.Groups, config, s.Resource) })
	return node.New(roles[i].Rules, sources), nil
}
