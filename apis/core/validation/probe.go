// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// validateProbes judges the probes and hooks of a container that runs for long.
func validateProbes(c *corev1.Container, grace *int64, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if c.Lifecycle != nil {
		errs = append(errs, validateLifecycle(c.Lifecycle, grace, path.Child("lifecycle"))...)
	}
	errs = append(errs, validateProbe(c.LivenessProbe, path.Child("livenessProbe"))...)
	errs = append(errs, validateOneSuccess(c.LivenessProbe, path.Child("livenessProbe"))...)
	errs = append(errs, validateProbe(c.ReadinessProbe, path.Child("readinessProbe"))...)
	if p := c.ReadinessProbe; p != nil && p.TerminationGracePeriodSeconds != nil {
		errs = append(errs, field.Invalid(path.Child("readinessProbe", "terminationGracePeriodSeconds"), p.TerminationGracePeriodSeconds, "must not be set for readinessProbes"))
	}
	errs = append(errs, validateProbe(c.StartupProbe, path.Child("startupProbe"))...)
	return append(errs, validateOneSuccess(c.StartupProbe, path.Child("startupProbe"))...)
}

func validateOneSuccess(probe *corev1.Probe, path *field.Path) field.ErrorList {
	if probe == nil || probe.SuccessThreshold == 1 {
		return nil
	}
	return field.ErrorList{field.Invalid(path.Child("successThreshold"), probe.SuccessThreshold, "must be 1")}
}

func validateProbe(probe *corev1.Probe, path *field.Path) field.ErrorList {
	if probe == nil {
		return nil
	}
	errs := validateHandler(handler{Exec: probe.Exec, HTTPGet: probe.HTTPGet, TCPSocket: probe.TCPSocket, GRPC: probe.GRPC}, nil, path)
	for _, number := range []struct {
		name  string
		value int32
	}{
		{"initialDelaySeconds", probe.InitialDelaySeconds}, {"timeoutSeconds", probe.TimeoutSeconds},
		{"periodSeconds", probe.PeriodSeconds}, {"successThreshold", probe.SuccessThreshold},
		{"failureThreshold", probe.FailureThreshold},
	} {
		errs = append(errs, apivalidation.ValidateNonnegativeField(int64(number.value), path.Child(number.name))...)
	}
	if s := probe.TerminationGracePeriodSeconds; s != nil && *s <= 0 {
		errs = append(errs, field.Invalid(path.Child("terminationGracePeriodSeconds"), *s, "must be greater than 0"))
	}
	return errs
}

// handler is what a probe or a hook does: one of these.
type handler struct {
	Exec      *corev1.ExecAction
	HTTPGet   *corev1.HTTPGetAction
	TCPSocket *corev1.TCPSocketAction
	GRPC      *corev1.GRPCAction
	Sleep     *corev1.SleepAction
}

func validateLifecycle(lifecycle *corev1.Lifecycle, grace *int64, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	hook := func(h *corev1.LifecycleHandler, path *field.Path) {
		if h != nil {
			errs = append(errs, validateHandler(handler{Exec: h.Exec, HTTPGet: h.HTTPGet, TCPSocket: h.TCPSocket, Sleep: h.Sleep}, grace, path)...)
		}
	}
	hook(lifecycle.PostStart, path.Child("postStart"))
	hook(lifecycle.PreStop, path.Child("preStop"))
	return errs
}

func validateHandler(h handler, grace *int64, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	count := 0
	for _, action := range []struct {
		name  string
		set   bool
		check func(*field.Path) field.ErrorList
	}{
		{"exec", h.Exec != nil, func(path *field.Path) field.ErrorList { return validateExec(h.Exec, path) }},
		{"httpGet", h.HTTPGet != nil, func(path *field.Path) field.ErrorList { return validateHTTPGet(h.HTTPGet, path) }},
		{"tcpSocket", h.TCPSocket != nil, func(path *field.Path) field.ErrorList {
			return ValidatePortNumOrName(h.TCPSocket.Port, path.Child("port"))
		}},
		{"grpc", h.GRPC != nil, func(path *field.Path) field.ErrorList {
			return ValidatePortNumOrName(intstr.FromInt32(h.GRPC.Port), path.Child("port"))
		}},
		{"sleep", h.Sleep != nil, func(path *field.Path) field.ErrorList { return validateSleep(h.Sleep, grace, path) }},
	} {
		if !action.set {
			continue
		}
		if count++; count > 1 {
			errs = append(errs, field.Forbidden(path.Child(action.name), "may not specify more than 1 handler type"))
		} else {
			errs = append(errs, action.check(path.Child(action.name))...)
		}
	}
	if count == 0 {
		errs = append(errs, field.Required(path, "must specify a handler type"))
	}
	return errs
}

func validateExec(exec *corev1.ExecAction, path *field.Path) field.ErrorList {
	if len(exec.Command) == 0 {
		return field.ErrorList{field.Required(path.Child("command"), "")}
	}
	return nil
}

func validateHTTPGet(get *corev1.HTTPGetAction, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if get.Path == "" {
		errs = append(errs, field.Required(path.Child("path"), ""))
	}
	errs = append(errs, ValidatePortNumOrName(get.Port, path.Child("port"))...)
	errs = append(errs, fielderrors.OneOf(path.Child("scheme"), get.Scheme, corev1.URISchemeHTTP, corev1.URISchemeHTTPS)...)
	for _, header := range get.HTTPHeaders {
		errs = append(errs, fielderrors.Each(path.Child("httpHeaders"), header.Name, validation.IsHTTPHeaderName(header.Name))...)
	}
	return errs
}

// validateSleep judges a pause. A grace period that is not set is an error already.
func validateSleep(sleep *corev1.SleepAction, grace *int64, path *field.Path) field.ErrorList {
	if grace == nil || sleep.Seconds >= 0 && sleep.Seconds <= *grace {
		return nil
	}
	return field.ErrorList{field.Invalid(path, sleep.Seconds,
		fmt.Sprintf("must be non-negative and less than terminationGracePeriodSeconds (%d)", *grace))}
}

// ValidatePortNumOrName judges a port that may be named.
func ValidatePortNumOrName(port intstr.IntOrString, path *field.Path) field.ErrorList {
	if port.Type == intstr.String {
		return fielderrors.Each(path, port.StrVal, validation.IsValidPortName(port.StrVal))
	}
	return fielderrors.Each(path, port.IntValue(), validation.IsValidPortNum(port.IntValue()))
}
