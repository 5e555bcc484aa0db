// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

// PodTokenSeconds is for how long the token in the volume of a pod is asked for: an
// hour, and a little by which it is told from others. For a while, such a token may be
// made to last longer than it says, and who uses it then is warned of. The number is
// upstream's.
const PodTokenSeconds = 60*60 + 7
