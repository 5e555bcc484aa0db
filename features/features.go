// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package features

import (
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/featuregate"
)

// The gates that code of this module asks for.
const (
	// AllowInsecureKubeletCertificateSigningRequests lets a node ask for certificates of
	// other nodes.
	AllowInsecureKubeletCertificateSigningRequests featuregate.Feature = "AllowInsecureKubeletCertificateSigningRequests"
	// AuthorizePodWebsocketUpgradeCreatePermission asks for "create" of who opens a WebSocket to a pod.
	AuthorizePodWebsocketUpgradeCreatePermission featuregate.Feature = "AuthorizePodWebsocketUpgradeCreatePermission"
	// CSIVolumeHealth lets drivers report the health of volumes and of nodes' storage.
	CSIVolumeHealth featuregate.Feature = "CSIVolumeHealth"
	// CrossNamespaceVolumeDataSource fills volumes from sources in other namespaces.
	CrossNamespaceVolumeDataSource featuregate.Feature = "CrossNamespaceVolumeDataSource"
	// DRAConsumableCapacity shares a device by parts of its capacity.
	DRAConsumableCapacity featuregate.Feature = "DRAConsumableCapacity"
	// DRADerivedAttributes computes attributes of devices by expressions of a claim.
	DRADerivedAttributes featuregate.Feature = "DRADerivedAttributes"
	// DRADeviceBindingConditions delays binding a pod until its devices are ready.
	DRADeviceBindingConditions featuregate.Feature = "DRADeviceBindingConditions"
	// DRADeviceCompatibilityGroups says which partitions can be used side by side.
	DRADeviceCompatibilityGroups featuregate.Feature = "DRADeviceCompatibilityGroups"
	// DRADeviceTaints keeps claims away from devices, or takes devices from them.
	DRADeviceTaints featuregate.Feature = "DRADeviceTaints"
	// DRAFractionalCapacityRange allows thousandths in the ranges of capacities.
	DRAFractionalCapacityRange featuregate.Feature = "DRAFractionalCapacityRange"
	// DRAListTypeAttributes lets attributes of devices be lists.
	DRAListTypeAttributes featuregate.Feature = "DRAListTypeAttributes"
	// DRANodeAllocatableResources accounts devices as resources of their node.
	DRANodeAllocatableResources featuregate.Feature = "DRANodeAllocatableResources"
	// DRAOptionalNodeOperations lets drivers do without calls on the node.
	DRAOptionalNodeOperations featuregate.Feature = "DRAOptionalNodeOperations"
	// DRAPartitionableDevices lets devices be parts of a bigger one.
	DRAPartitionableDevices featuregate.Feature = "DRAPartitionableDevices"
	// DRAPartitionableDevicesType names the types of partitions.
	DRAPartitionableDevicesType featuregate.Feature = "DRAPartitionableDevicesType"
	// ExtendWebSocketsToKubelet leaves WebSockets to kubelets that declare the feature.
	ExtendWebSocketsToKubelet featuregate.Feature = "ExtendWebSocketsToKubelet"
	// HPAScaleToZero lets an autoscaler with object or external metrics have minReplicas 0.
	HPAScaleToZero featuregate.Feature = "HPAScaleToZero"
	// InPlacePodVerticalScalingSchedulerPreemption preempts pods for the resize of one.
	InPlacePodVerticalScalingSchedulerPreemption featuregate.Feature = "InPlacePodVerticalScalingSchedulerPreemption"
	// MaxUnavailableStatefulSet lets a stateful set replace several pods at a time.
	MaxUnavailableStatefulSet featuregate.Feature = "MaxUnavailableStatefulSet"
	// MutablePodResourcesForSuspendedJobs lets what the pods of a suspended job need change.
	MutablePodResourcesForSuspendedJobs featuregate.Feature = "MutablePodResourcesForSuspendedJobs"
	// MutableSchedulingDirectivesForSuspendedJobs lets where they are placed change, after
	// the job has run too.
	MutableSchedulingDirectivesForSuspendedJobs featuregate.Feature = "MutableSchedulingDirectivesForSuspendedJobs"
	// PodCertificateRequest lets kubelets ask for certificates of pods.
	PodCertificateRequest featuregate.Feature = "PodCertificateRequest"
	// PodLevelResources lets a pod say what its containers need together.
	PodLevelResources featuregate.Feature = "PodLevelResources"
	// PodLogsQuerySplitStreams lets a reader of a log choose stdout or stderr.
	PodLogsQuerySplitStreams featuregate.Feature = "PodLogsQuerySplitStreams"
	// PodTopologyLabelsAdmission gives pods the zone and the region of their node.
	PodTopologyLabelsAdmission featuregate.Feature = "PodTopologyLabelsAdmission"
	// PortForwardWebsockets carries port-forward in WebSockets.
	PortForwardWebsockets featuregate.Feature = "PortForwardWebsockets"
	// MutablePVNodeAffinity lets the node affinity of a persistent volume change.
	MutablePVNodeAffinity featuregate.Feature = "MutablePVNodeAffinity"
	// RelaxedServiceNameValidation lets the name of a service begin with a digit.
	RelaxedServiceNameValidation featuregate.Feature = "RelaxedServiceNameValidation"
	// ServiceAccountNodeAudienceRestriction gives nodes tokens only for audiences that their
	// pods use.
	ServiceAccountNodeAudienceRestriction featuregate.Feature = "ServiceAccountNodeAudienceRestriction"
	// WorkloadWithJob lets jobs say how their pods are scheduled together.
	WorkloadWithJob featuregate.Feature = "WorkloadWithJob"
	// StrictIPCIDRValidation refuses IP addresses and ranges with leading zeros and the
	// like in fields that used to take them.
	StrictIPCIDRValidation featuregate.Feature = "StrictIPCIDRValidation"
	// TranslateStreamCloseWebsocketRequests turns the WebSocket protocol of exec and attach into SPDY.
	TranslateStreamCloseWebsocketRequests featuregate.Feature = "TranslateStreamCloseWebsocketRequests"
)

// Enabled says whether a gate is on in this process.
func Enabled(gate featuregate.Feature) bool { return utilfeature.DefaultFeatureGate.Enabled(gate) }
