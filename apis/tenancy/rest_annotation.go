// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

// RestAnnotation is the annotation in which an object of an older version
// carries what that version has no field for. Conversion takes it out of the
// hub; a hub object that has it got it from a user, and is invalid.
const RestAnnotation = GroupName + "/v1-fields"
