// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package extremes

import (
	"bytes"
	"reflect"
	"regexp"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/cbor/direct"
	runtimejson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"sigs.k8s.io/yaml"
)

// serializer checks what is decoded: objects that are created or updated, and what a patch
// in JSON makes of one, which may be a text that was in another field before.
type serializer struct {
	runtime.NegotiatedSerializer

	infos []runtime.SerializerInfo
	types runtime.ObjectCreater
}

// Serializer returns inner with decoders that refuse what does harm. Kinds that
// types does not know are decoded as they are.
func Serializer(inner runtime.NegotiatedSerializer, types runtime.ObjectCreater) runtime.NegotiatedSerializer {
	return &serializer{inner, inner.SupportedMediaTypes(), types}
}

// DecoderToVersion implements runtime.NegotiatedSerializer.
func (s *serializer) DecoderToVersion(content runtime.Decoder, version runtime.GroupVersioner) runtime.Decoder {
	i := slices.IndexFunc(s.infos, func(info runtime.SerializerInfo) bool {
		return info.Serializer == content || info.StrictSerializer == content
	})
	inner := s.NegotiatedSerializer.DecoderToVersion(content, version)
	if i < 0 {
		return inner
	}
	return &decoder{inner, content, s.infos[i].MediaType, s.types}
}

type decoder struct {
	runtime.Decoder

	content   runtime.Decoder // to the version in which it came
	mediaType string
	types     runtime.ObjectCreater
}

// Decode implements runtime.Decoder.
func (d *decoder) Decode(body []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if suspect(body, d.mediaType) {
		if kind, err := d.check(body, defaults); err != nil {
			return nil, kind, err
		}
	}
	return d.Decoder.Decode(body, defaults, into)
}

func (d *decoder) check(body []byte, defaults *schema.GroupVersionKind) (*schema.GroupVersionKind, error) {
	if d.mediaType == runtime.ContentTypeProtobuf {
		return defaults, d.checkProtobuf(body, defaults)
	}
	kind := d.kind(body, defaults)
	obj, err := d.types.New(kind)
	if err != nil {
		return &kind, nil //nolint:nilerr // has no type to look for in it
	}
	return &kind, check(body, d.mediaType, reflect.TypeOf(obj))
}

// kind returns what a body says of its kind, and what it leaves out from defaults.
func (d *decoder) kind(body []byte, defaults *schema.GroupVersionKind) schema.GroupVersionKind {
	var err error
	switch d.mediaType {
	case runtime.ContentTypeYAML:
		body, err = yaml.YAMLToJSON(body)
	case runtime.ContentTypeCBOR:
		var meta map[string]any
		if err = direct.Unmarshal(body, &meta); err == nil {
			body, err = yaml.Marshal(map[string]any{"apiVersion": meta["apiVersion"], "kind": meta["kind"]})
		}
	}
	found := &schema.GroupVersionKind{}
	if err == nil {
		found, err = runtimejson.DefaultMetaFactory.Interpret(body)
	}
	if err != nil {
		found = &schema.GroupVersionKind{}
	}
	if defaults == nil {
		return *found
	}
	if found.Kind == "" {
		found.Kind = defaults.Kind
	}
	if found.Version == "" {
		found.Group, found.Version = defaults.Group, defaults.Version
	}
	return *found
}

// exponents are the digits that checkProtobuf exchanges.
var exponents = regexp.MustCompile(`[eE][+-]?[0-9]{` + strconv.Itoa(maxDigits+1) + `,}`)

// checkProtobuf checks a body that does not say which of its texts are quantities. It is
// decoded twice, with small exponents of the same length in place of the large ones: what
// differs then is a quantity.
func (d *decoder) checkProtobuf(body []byte, defaults *schema.GroupVersionKind) error {
	var out error
	decode := func(last byte) map[string]string {
		small := exponents.ReplaceAllFunc(body, func(match []byte) []byte {
			digits := bytes.TrimLeft(match, "eE+-")
			out := append(bytes.Clone(match[:len(match)-len(digits)]), bytes.Repeat([]byte("0"), len(digits))...)
			out[len(out)-1] = last
			return out
		})
		found := map[string]string{}
		obj, _, err := d.content.Decode(small, defaults, nil)
		if err != nil {
			return nil // whoever decodes it will say what is wrong
		}
		find(reflect.ValueOf(obj), "", func(value any, path string) {
			switch value := value.(type) {
			case resource.Quantity:
				found[path] = value.String()
			case metav1.Time:
				if isOut(value.Time) {
					out = refuseOut(path)
				}
			case metav1.MicroTime:
				if isOut(value.Time) {
					out = refuseOut(path)
				}
			}
		})
		return found
	}
	ones := decode('0')
	for path, tens := range decode('1') {
		if ones[path] != tens {
			return refuseFar(path)
		}
	}
	return out
}
