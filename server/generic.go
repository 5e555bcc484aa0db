// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/sets"
	apiserver "k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/group"
	"k8s.io/apiserver/pkg/authentication/request/anonymous"
	"k8s.io/apiserver/pkg/authentication/request/bearertoken"
	"k8s.io/apiserver/pkg/authentication/request/union"
	"k8s.io/apiserver/pkg/authentication/request/websocket"
	tokenunion "k8s.io/apiserver/pkg/authentication/token/union"
	"k8s.io/apiserver/pkg/authentication/user"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/apiserver/pkg/server/filters"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/authn/certificate"
	"github.com/stoa-project/stoa/authn/oidc"
	"github.com/stoa-project/stoa/registry/kind"
)

// resync is how often informers of the server go through their objects again.
const resync = 10 * time.Minute

// types are a scheme and what reads and writes its types.
type types struct {
	scheme     *runtime.Scheme
	codecs     serializer.CodecFactory
	parameters runtime.ParameterCodec
}

func newTypes(groups []kind.Group) (*types, error) {
	scheme, err := newScheme(groups)
	if err != nil {
		return nil, err
	}
	return &types{scheme: scheme, codecs: serializer.NewCodecFactory(scheme), parameters: runtime.NewParameterCodec(scheme)}, nil
}

// genericConfig makes the configuration of the handler chain. It opens nothing.
func (c CompletedOptions) genericConfig(serving *genericapiserver.SecureServingInfo, loopback *rest.Config) (*genericapiserver.Config, error) {
	config := genericapiserver.NewConfig(c.types.codecs)
	if err := c.Run.ApplyTo(config); err != nil {
		return nil, err
	}
	config.BuildHandlerChainFunc = handlerChain
	config.SecureServing = serving
	config.LoopbackClientConfig = loopback
	config.EnableProfiling = c.Profiling
	config.LongRunningFunc = filters.BasicLongRunningRequestCheck(
		sets.NewString("watch", "proxy"), sets.NewString("attach", "exec", "proxy", "log", "portforward"))
	namer := openapinamer.NewDefinitionNamer(append(c.extensionSchemes(), c.types.scheme)...)
	getDefinitions := c.definitions()
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(getDefinitions, namer)
	config.OpenAPIConfig.Info.Title = "Stoa"
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(getDefinitions, namer)
	config.OpenAPIV3Config.Info.Title = "Stoa"
	if err := c.APIs.ApplyTo(config, servedVersions(c.Groups), c.types.scheme); err != nil {
		return nil, fmt.Errorf("--runtime-config: %w", err)
	}
	return config, nil
}

// authenticate sets who is believed to be whom. all are the stores, which are filled
// before the first request.
func (s *Server) authenticate(ctx context.Context, c CompletedOptions, config *genericapiserver.Config, client kubernetes.Interface, all stores) error {
	if s.host == nil {
		config.Authentication.APIAudiences = c.Authentication.Tokens.audiences()
	}
	methods, err := s.frontProxy.authenticate(config)
	if err != nil {
		return err
	}
	passwords, err := c.passwords(ctx, config)
	if err != nil {
		return err
	}
	methods = append(methods, passwords...)
	// One authenticator for each: a union of CAs is parsed anew whenever it is asked.
	for _, ca := range s.clientCAs {
		if err := config.Authentication.ApplyClientCert(ca, config.SecureServing); err != nil {
			return fmt.Errorf("client CA: %w", err)
		}
		methods = append(methods, certificate.New(ca.VerifyOptions))
	}
	file, err := c.Authentication.issuerFile()
	if err != nil {
		return err
	}
	bearers, err := s.bearers(ctx, c, config, client, all, file)
	if err != nil {
		return err
	}
	known := group.NewTokenGroupAdder(tokenunion.New(bearers...), []string{user.AllAuthenticated})
	// A token that nobody knows is an error, and not the token of somebody anonymous.
	methods = append(methods, onlyHeader(bearertoken.New(known)), websocket.NewProtocolAuthenticator(known))
	config.Authentication.Authenticator = union.New(methods...)
	open := apiserver.AnonymousAuthConfig{Enabled: c.Authentication.Anonymous}
	if open.Enabled && c.Authorization.allowsAll() {
		klog.FromContext(ctx).Info("AnonymousAuth is not allowed with the AlwaysAllow authorizer. Resetting AnonymousAuth to false. You should use a different authorizer")
		open.Enabled = false
	}
	if file.Configuration != nil && file.Configuration.Anonymous != nil {
		open = *file.Configuration.Anonymous
	}
	if open.Enabled {
		config.Authentication.Authenticator = union.NewFailOnError(config.Authentication.Authenticator, anonymous.NewAuthenticator(open.Conditions))
	}
	return nil
}

// bearers are those who know users by tokens.
func (s *Server) bearers(ctx context.Context, c CompletedOptions, config *genericapiserver.Config, client kubernetes.Interface, all stores, file oidc.File) ([]authenticator.Token, error) {
	if s.host != nil {
		known, err := s.host.Tokens()
		return []authenticator.Token{known}, err
	}
	listed, err := c.tokenFile(ctx, config)
	if err != nil {
		return nil, err
	}
	bootstrap, err := c.bootstrapTokens(config, client)
	if err != nil {
		return nil, err
	}
	issuers, err := c.issuers(config, file)
	if err != nil {
		return nil, err
	}
	webhook, err := c.tokenWebhook(ctx, config)
	if err != nil {
		return nil, err
	}
	// What costs least comes first, and last what asks others.
	own := []authenticator.Token{s.tokens.authenticator(client, all)}
	return slices.Concat(listed, own, bootstrap, issuers, webhook), nil
}

// errTwoHeaders is for the log; clients see 401.
var errTwoHeaders = errors.New("more than one Authorization header")

// onlyHeader refuses a request with several Authorization headers: what is in front of
// the server may have looked at another one of them.
func onlyHeader(method authenticator.Request) authenticator.Request {
	return authenticator.RequestFunc(func(r *http.Request) (*authenticator.Response, bool, error) {
		if len(r.Header.Values("Authorization")) > 1 {
			return nil, false, errTwoHeaders
		}
		return method.AuthenticateRequest(r)
	})
}

// serve makes the serving side of TLS from upstream's options, which know cipher
// suites, versions and SNI.
func (o *ServingOptions) serve(listener net.Listener, cert dynamiccertificates.CertKeyContentProvider) (*genericapiserver.SecureServingInfo, error) {
	upstream := *o.SecureServingOptions
	upstream.Listener = listener
	upstream.ServerCert.GeneratedCert = cert
	var info *genericapiserver.SecureServingInfo
	if err := upstream.ApplyTo(&info); err != nil {
		return nil, fmt.Errorf("secure serving: %w", err)
	}
	return info, nil
}
