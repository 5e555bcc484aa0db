// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/features"
)

// ValidateResourceClaim judges a new claim. What may change in it is said by tags.
func ValidateResourceClaim(claim *resourcev1.ResourceClaim) field.ErrorList {
	return validateDeviceClaim(&claim.Spec.Devices, field.NewPath("spec", "devices"))
}

// ValidateResourceClaimTemplate judges a new template.
func ValidateResourceClaimTemplate(template *resourcev1.ResourceClaimTemplate) field.ErrorList {
	path := field.NewPath("spec")
	errs := apivalidation.ValidateAnnotations(template.Spec.Annotations, path.Child("metadata", "annotations"))
	errs = append(errs, metav1validation.ValidateLabels(template.Spec.Labels, path.Child("metadata", "labels"))...)
	return append(errs, validateDeviceClaim(&template.Spec.Spec.Devices, path.Child("spec", "devices"))...)
}

// ValidateResourceClaimTemplateUpdate judges a changed template, of which only
// metadata may differ.
func ValidateResourceClaimTemplateUpdate(template, old *resourcev1.ResourceClaimTemplate) field.ErrorList {
	return append(ValidateResourceClaimTemplate(template),
		apivalidation.ValidateImmutableField(template.Spec, old.Spec, field.NewPath("spec"))...)
}

// claimContext is what the parts of a claim must know of the whole.
type claimContext struct {
	requests requestNames
	// constrained are the attributes that constraints name, by the request or
	// "request/subrequest" that they are for; "" is for all.
	constrained map[string]sets.Set[string]
	// cost is that of all derived attributes together.
	cost uint64
}

func validateDeviceClaim(claim *resourcev1.DeviceClaim, path *field.Path) field.ErrorList {
	c := &claimContext{requests: namesOf(claim), constrained: map[string]sets.Set[string]{}}
	for i := range claim.Constraints {
		c.addConstraint(&claim.Constraints[i])
	}
	errs := each(claim.Requests, resourcev1.DeviceRequestsMaxSize, path.Child("requests"), c.validateRequest)
	errs = append(errs, each(claim.Constraints, resourcev1.DeviceConstraintsMaxSize, path.Child("constraints"), c.validateConstraint)...)
	errs = append(errs, each(claim.Config, resourcev1.DeviceConfigMaxSize, path.Child("config"), func(config *resourcev1.DeviceClaimConfiguration, path *field.Path) field.ErrorList {
		return append(c.requests.validateAll(config.Requests, path.Child("requests")),
			validateDeviceConfiguration(&config.DeviceConfiguration, path, isNew)...)
	})...)
	if c.cost > resourcev1.DeviceClaimDerivedAttributeCELMaxCost {
		errs = append(errs, field.Forbidden(path, "too complex, total cost of derived attribute CEL expressions in the claim exceeds cost limit"))
	}
	return errs
}

func (c *claimContext) addConstraint(constraint *resourcev1.DeviceConstraint) {
	name := constraint.MatchAttribute
	if name == nil {
		name = constraint.DistinctAttribute
	}
	if name == nil {
		return
	}
	requests := constraint.Requests
	if len(requests) == 0 {
		requests = []string{""}
	}
	for _, request := range requests {
		if c.constrained[request] == nil {
			c.constrained[request] = sets.New[string]()
		}
		c.constrained[request].Insert(string(*name))
	}
}

func (c *claimContext) validateRequest(request *resourcev1.DeviceRequest, path *field.Path) field.ErrorList {
	errs := validateLabelName(request.Name, path.Child("name"))
	switch alternatives := len(request.FirstAvailable) > 0; {
	case !alternatives && request.Exactly == nil:
		return append(errs, field.Required(path, "exactly one of `exactly` or `firstAvailable` is required"))
	case alternatives && request.Exactly != nil:
		return append(errs, field.Invalid(path, nil, "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set"))
	case request.Exactly != nil:
		exactly, path := request.Exactly, path.Child("exactly")
		errs = append(errs, validateClassName(exactly.DeviceClassName, path.Child("deviceClassName"))...)
		return append(errs, c.validateDevices(&deviceQuery{
			request.Name, exactly.Selectors, exactly.DerivedAttributes, exactly.AllocationMode, exactly.Count, exactly.Tolerations,
		}, path)...)
	}
	return append(errs, each(request.FirstAvailable, resourcev1.FirstAvailableDeviceRequestMaxSize, path.Child("firstAvailable"), func(sub *resourcev1.DeviceSubRequest, path *field.Path) field.ErrorList {
		return append(validateLabelName(sub.Name, path.Child("name")), c.validateDevices(&deviceQuery{
			request.Name + "/" + sub.Name, sub.Selectors, sub.DerivedAttributes, sub.AllocationMode, sub.Count, sub.Tolerations,
		}, path)...)
	})...)
}

// deviceQuery is what requests and subrequests have in common.
type deviceQuery struct {
	name        string
	selectors   []resourcev1.DeviceSelector
	derived     []resourcev1.DeviceDerivedAttribute
	mode        resourcev1.DeviceAllocationMode
	count       int64
	tolerations []resourcev1.DeviceToleration
}

func (c *claimContext) validateDevices(q *deviceQuery, path *field.Path) field.ErrorList {
	errs := validateSelectors(q.selectors, path.Child("selectors"))
	errs = append(errs, c.validateDerived(q, path.Child("derivedAttributes"))...)
	switch {
	case q.mode == resourcev1.DeviceAllocationModeAll && q.count != 0:
		errs = append(errs, field.Invalid(path.Child("count"), q.count, fmt.Sprintf("must not be specified when allocationMode is '%s'", q.mode)))
	case q.mode == resourcev1.DeviceAllocationModeExactCount && q.count <= 0:
		errs = append(errs, field.Invalid(path.Child("count"), q.count, "must be greater than zero"))
	}
	return append(errs, validateTolerations(q.tolerations, path.Child("tolerations"))...)
}

func (c *claimContext) validateDerived(q *deviceQuery, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := sets.New[resourcev1.FullyQualifiedName]()
	parent, _, _ := strings.Cut(q.name, "/")
	for i, attribute := range q.derived {
		at := path.Index(i)
		used := false
		for _, request := range []string{"", q.name, parent} {
			used = used || c.constrained[request].Has(string(attribute.Name))
		}
		if attribute.Name != "" && !used {
			errs = append(errs, field.Invalid(at.Child("name"), attribute.Name, "must be referenced by at least one matchAttribute or distinctAttribute constraint targeting this request"))
		}
		if attribute.Expression != "" {
			cost, wrong := validateExpression(attribute.Expression, at.Child("expression"), derivesAttribute)
			errs = append(errs, wrong...)
			c.cost += cost
		}
		if seen.Has(attribute.Name) {
			errs = append(errs, field.Duplicate(at, string(attribute.Name)))
		}
		seen.Insert(attribute.Name)
	}
	return errs
}

func (c *claimContext) validateConstraint(constraint *resourcev1.DeviceConstraint, path *field.Path) field.ErrorList {
	errs := c.requests.validateAll(constraint.Requests, path.Child("requests"))
	if constraint.MatchAttribute == nil && constraint.DistinctAttribute == nil {
		if features.Enabled(features.DRAConsumableCapacity) {
			// Upstream says this of none, too.
			errs = append(errs, field.Required(path, `exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set`))
		} else {
			errs = append(errs, field.Required(path.Child("matchAttribute"), ""))
		}
	}
	return errs
}

// requestNames are the requests of a claim, with the names of their subrequests.
type requestNames map[string]sets.Set[string]

func namesOf(claim *resourcev1.DeviceClaim) requestNames {
	out := requestNames{}
	for _, request := range claim.Requests {
		subs := sets.New[string]()
		for _, sub := range request.FirstAvailable {
			subs.Insert(sub.Name)
		}
		out[request.Name] = subs
	}
	return out
}

func (r requestNames) validateAll(names []string, path *field.Path) field.ErrorList {
	return each(names, resourcev1.DeviceRequestsMaxSize, path, func(name *string, path *field.Path) field.ErrorList {
		return r.validate(*name, path)
	})
}

// validate judges a reference, "request" or "request/subrequest".
func (r requestNames) validate(name string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	parts := strings.Split(name, "/")
	subs, found := r[parts[0]]
	switch len(parts) {
	case 1:
	case 2:
		found = found && subs.Has(parts[1])
	default:
		parts, found = nil, false
	}
	for _, part := range parts {
		errs = append(errs, validateLabelName(part, path)...)
	}
	if !found {
		errs = append(errs, field.Invalid(path, name, "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"))
	}
	return errs
}
