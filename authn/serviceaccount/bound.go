// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	tokenjwt "k8s.io/apiserver/pkg/authentication/token/jwt"
)

// errInvalidated says that what a token is bound to is gone.
var errInvalidated = errors.New("service account token has been invalidated")

// judgeBound says for whom a token is that the server issued.
func (v *verifier) judgeBound(ctx context.Context, _ string, claims *payload) (*serviceaccount.ServiceAccountInfo, error) {
	now := v.Clock.Now()
	if err := checkTimes(claims, now); err != nil {
		return nil, err
	}
	to := claims.Kubernetes
	if to == nil {
		return nil, errors.New("service account token names no service account")
	}
	if err := v.checkAccount(ctx, to, now); err != nil {
		return nil, err
	}
	info := &serviceaccount.ServiceAccountInfo{
		Namespace: to.Namespace, Name: to.Account.Name, UID: string(to.Account.UID), CredentialID: tokenjwt.CredentialIDForJTI(claims.ID),
	}
	if to.Secret != nil {
		secret, err := v.Objects.Secret(ctx, to.reference(to.Secret))
		if err := checkHolder("secret", to.Secret, secret, err, now); err != nil {
			return nil, err
		}
	}
	if to.Pod != nil {
		pod, err := v.Objects.Pod(ctx, to.reference(to.Pod))
		if err := checkHolder("pod", to.Pod, pod, err, now); err != nil {
			return nil, err
		}
		info.PodName, info.PodUID = to.Pod.Name, string(to.Pod.UID)
	}
	if to.Node != nil {
		// The node of a pod may go before the pod does.
		if to.Pod == nil {
			node, err := v.Objects.Node(ctx, Reference{Name: to.Node.Name, UID: to.Node.UID})
			if err := checkHolder("node", to.Node, node, err, now); err != nil {
				return nil, err
			}
		}
		info.NodeName, info.NodeUID = to.Node.Name, string(to.Node.UID)
	}
	if warn := to.WarnAfter; warn != nil && *warn != 0 && now.After(warn.Time()) {
		audit.AddAuditAnnotation(ctx, "authentication.k8s.io/stale-token",
			fmt.Sprintf("subject: %s, seconds after warning threshold: %d", claims.Subject, now.Unix()-warn.Time().Unix()))
	}
	return info, nil
}

// checkTimes forgives clocks a minute.
func checkTimes(claims *payload, now time.Time) error {
	err := jwt.Claims{Expiry: claims.Expiry, NotBefore: claims.NotBefore, IssuedAt: claims.IssuedAt}.Validate(jwt.Expected{Time: now})
	switch {
	case errors.Is(err, jwt.ErrExpired):
		return errors.New("service account token has expired")
	case errors.Is(err, jwt.ErrNotValidYet):
		return errors.New("service account token is not valid yet")
	case errors.Is(err, jwt.ErrIssuedInTheFuture):
		return errors.New("service account token is issued in the future")
	}
	return err
}

func (v *verifier) checkAccount(ctx context.Context, to *bound, now time.Time) error {
	account, err := v.Objects.ServiceAccount(ctx, to.reference(&to.Account))
	switch {
	case err != nil:
		return err
	case account.UID != to.Account.UID:
		return fmt.Errorf("service account UID (%s) does not match claim (%s)", account.UID, to.Account.UID)
	case deleted(account, now):
		return fmt.Errorf("service account %s/%s has been deleted", to.Namespace, to.Account.Name)
	}
	return nil
}

// checkHolder says what is wrong with what a token is bound to, which was got with
// err.
func checkHolder(kind string, claim *object, holder metav1.Object, err error, now time.Time) error {
	switch {
	case apierrors.IsNotFound(err):
		return errInvalidated
	case err != nil:
		return fmt.Errorf("get %s of service account token: %w", kind, err)
	case holder.GetUID() != claim.UID:
		return fmt.Errorf("%s UID (%s) does not match service account %s ref claim (%s)", kind, holder.GetUID(), kind, claim.UID)
	case deleted(holder, now):
		return errInvalidated
	}
	return nil
}

// deleted says whether the time that an object had to end is over: a pod that is told
// to stop needs its token for that.
func deleted(o metav1.Object, now time.Time) bool {
	at := o.GetDeletionTimestamp()
	return at != nil && at.Time.Before(now.Add(-jwt.DefaultLeeway))
}

func (b *bound) reference(o *object) Reference {
	return Reference{Namespace: b.Namespace, Name: o.Name, UID: o.UID}
}
