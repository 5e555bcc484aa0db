// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/util/webhook"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// options say which flaws are forgiven because the object had them already.
type options struct {
	sideEffects, reviewVersions, repeatedNames, labelValues bool
	// matchConditions did not change, so they are not compiled again.
	matchConditions bool
	// stored are the expressions that the object had.
	stored map[string]bool
}

// hook is a webhook of either kind. The fields of a validating webhook are all
// fields of a mutating one.
type hook struct {
	admissionregistrationv1.ValidatingWebhook
	reinvocation *admissionregistrationv1.ReinvocationPolicyType
}

func validatingHooks(obj *admissionregistrationv1.ValidatingWebhookConfiguration) []hook {
	out := make([]hook, len(obj.Webhooks))
	for i := range obj.Webhooks {
		out[i].ValidatingWebhook = obj.Webhooks[i]
	}
	return out
}

func mutatingHooks(obj *admissionregistrationv1.MutatingWebhookConfiguration) []hook {
	out := make([]hook, len(obj.Webhooks))
	for i, w := range obj.Webhooks {
		out[i] = hook{admissionregistrationv1.ValidatingWebhook{
			Name: w.Name, ClientConfig: w.ClientConfig, Rules: w.Rules, FailurePolicy: w.FailurePolicy, MatchPolicy: w.MatchPolicy,
			NamespaceSelector: w.NamespaceSelector, ObjectSelector: w.ObjectSelector, SideEffects: w.SideEffects,
			TimeoutSeconds: w.TimeoutSeconds, AdmissionReviewVersions: w.AdmissionReviewVersions, MatchConditions: w.MatchConditions,
		}, w.ReinvocationPolicy}
	}
	return out
}

// ValidateValidatingWebhookConfiguration judges a new configuration.
func ValidateValidatingWebhookConfiguration(obj *admissionregistrationv1.ValidatingWebhookConfiguration) field.ErrorList {
	return validateHooks(validatingHooks(obj), options{})
}

// ValidateValidatingWebhookConfigurationUpdate judges a changed configuration.
func ValidateValidatingWebhookConfigurationUpdate(obj, old *admissionregistrationv1.ValidatingWebhookConfiguration) field.ErrorList {
	return validateHooks(validatingHooks(obj), forgiven(validatingHooks(obj), validatingHooks(old)))
}

// ValidateMutatingWebhookConfiguration judges a new configuration.
func ValidateMutatingWebhookConfiguration(obj *admissionregistrationv1.MutatingWebhookConfiguration) field.ErrorList {
	return validateHooks(mutatingHooks(obj), options{})
}

// ValidateMutatingWebhookConfigurationUpdate judges a changed configuration.
func ValidateMutatingWebhookConfigurationUpdate(obj, old *admissionregistrationv1.MutatingWebhookConfiguration) field.ErrorList {
	return validateHooks(mutatingHooks(obj), forgiven(mutatingHooks(obj), mutatingHooks(old)))
}

func forgiven(hooks, old []hook) options {
	o := options{stored: map[string]bool{}, matchConditions: len(hooks) == len(old)}
	names := map[string]bool{}
	for i, h := range old {
		o.sideEffects = o.sideEffects || h.SideEffects == nil || !slices.Contains(noSideEffects(), *h.SideEffects)
		o.reviewVersions = o.reviewVersions || len(h.AdmissionReviewVersions) > 0 && !reviewable(h.AdmissionReviewVersions)
		o.repeatedNames = o.repeatedNames || names[h.Name]
		names[h.Name] = true
		for _, s := range []*metav1.LabelSelector{h.NamespaceSelector, h.ObjectSelector} {
			o.labelValues = o.labelValues || len(metav1validation.ValidateLabelSelector(s, metav1validation.LabelSelectorValidationOptions{}, nil)) > 0
		}
		for _, c := range h.MatchConditions {
			o.stored[c.Expression] = true
		}
		o.matchConditions = o.matchConditions && apiequality.Semantic.DeepEqual(hooks[i].MatchConditions, h.MatchConditions)
	}
	return o
}

func noSideEffects() []admissionregistrationv1.SideEffectClass {
	return []admissionregistrationv1.SideEffectClass{admissionregistrationv1.SideEffectClassNone, admissionregistrationv1.SideEffectClassNoneOnDryRun}
}

// reviewVersions are those of AdmissionReview that the server speaks.
func reviewVersions() []string { return []string{"v1", "v1beta1"} }

func reviewable(versions []string) bool {
	return slices.ContainsFunc(versions, func(v string) bool { return slices.Contains(reviewVersions(), v) })
}

func validateHooks(hooks []hook, o options) field.ErrorList {
	var errs field.ErrorList
	names := map[string]bool{}
	for i := range hooks {
		at, name := field.NewPath("webhooks").Index(i), hooks[i].Name
		errs = append(errs, validateHook(&hooks[i], o, at)...)
		errs = append(errs, validateReviewVersions(hooks[i].AdmissionReviewVersions, o, at.Child("admissionReviewVersions"))...)
		if name != "" && names[name] && !o.repeatedNames {
			errs = append(errs, field.Duplicate(at.Child("name"), name))
		}
		names[name] = true
	}
	return errs
}

func validateHook(h *hook, o options, at *field.Path) field.ErrorList {
	errs := validation.IsFullyQualifiedName(at.Child("name"), h.Name)
	for i := range h.Rules {
		errs = append(errs, validateRule(&h.Rules[i], at.Child("rules").Index(i))...)
	}
	errs = append(errs, supportedIfSet(h.FailurePolicy, at.Child("failurePolicy"), admissionregistrationv1.Fail, admissionregistrationv1.Ignore)...)
	errs = append(errs, supportedIfSet(h.MatchPolicy, at.Child("matchPolicy"), admissionregistrationv1.Equivalent, admissionregistrationv1.Exact)...)
	errs = append(errs, supportedIfSet(h.reinvocation, at.Child("reinvocationPolicy"), admissionregistrationv1.IfNeededReinvocationPolicy, admissionregistrationv1.NeverReinvocationPolicy)...)
	errs = append(errs, validateSideEffects(h.SideEffects, o, at.Child("sideEffects"))...)
	if t := h.TimeoutSeconds; t != nil && (*t < 1 || *t > 30) {
		errs = append(errs, field.Invalid(at.Child("timeoutSeconds"), *t, "the timeout value must be between 1 and 30 seconds"))
	}
	selectors := metav1validation.LabelSelectorValidationOptions{AllowInvalidLabelValueInSelector: o.labelValues}
	errs = append(errs, metav1validation.ValidateLabelSelector(h.NamespaceSelector, selectors, at.Child("namespaceSelector"))...)
	errs = append(errs, metav1validation.ValidateLabelSelector(h.ObjectSelector, selectors, at.Child("objectSelector"))...)
	errs = append(errs, validateClient(&h.ClientConfig, at.Child("clientConfig"))...)
	if !o.matchConditions {
		errs = append(errs, validateMatchConditions(h.MatchConditions, o.stored, false, at.Child("matchConditions"))...)
	}
	return errs
}

func validateSideEffects(class *admissionregistrationv1.SideEffectClass, o options, at *field.Path) field.ErrorList {
	allowed := noSideEffects()
	if o.sideEffects {
		allowed = append(allowed, admissionregistrationv1.SideEffectClassSome, admissionregistrationv1.SideEffectClassUnknown)
	}
	if class == nil {
		names := make([]string, len(allowed))
		for i, a := range allowed {
			names[i] = string(a)
		}
		return field.ErrorList{field.Required(at, "must specify one of "+strings.Join(names, ", "))}
	}
	return fielderrors.OneOf(at, *class, allowed...)
}

func validateClient(c *admissionregistrationv1.WebhookClientConfig, at *field.Path) field.ErrorList {
	switch {
	case (c.URL == nil) == (c.Service == nil):
		return field.ErrorList{field.Required(at, "exactly one of url or service is required")}
	case c.URL != nil:
		return webhook.ValidateWebhookURL(at.Child("url"), *c.URL, true)
	default:
		// Name and namespace are the wrong way round, as upstream: so are the paths in errors.
		return webhook.ValidateWebhookService(at.Child("service"), c.Service.Name, c.Service.Namespace, c.Service.Path, *c.Service.Port)
	}
}

func validateReviewVersions(versions []string, o options, at *field.Path) field.ErrorList {
	known := strings.Join(reviewVersions(), ", ")
	if len(versions) == 0 {
		return field.ErrorList{field.Required(at, "must specify one of "+known)}
	}
	var errs field.ErrorList
	for i, v := range versions {
		if slices.Contains(versions[:i], v) {
			errs = append(errs, field.Invalid(at.Index(i), v, "duplicate version"))
			continue
		}
		errs = append(errs, fielderrors.Each(at.Index(i), v, validation.IsDNS1035Label(v))...)
	}
	if !o.reviewVersions && !reviewable(versions) {
		errs = append(errs, field.Invalid(at, versions, "must include at least one of "+known))
	}
	return errs
}
