/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether VLAN tags reach AF_XDP.
 *
 * The kernel may keep the tag of a frame beside the frame: a NIC that strips it,
 * or a sender that leaves it to be put in later.  AF_XDP sees the frame alone
 * then, as one without a tag, and exports of untagged frames would answer a
 * station of another VLAN.  AF_PACKET is told the tag in any case.
 *
 * Main lcore.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Switch off whatever takes tags from frames before AF_XDP sees them.  True: they
 * are all there.  False with the reason and the remedy in why: it could not be
 * switched off, is out of reach, or is not known.  Needs CAP_NET_ADMIN.
 */
bool tags_keep(const char *iface, int ifindex, char *why, size_t why_bytes);

/* The same question without changing anything. */
bool tags_are_kept(const char *iface, int ifindex, char *why, size_t why_bytes);

/*
 * Let the NIC take in frames of VLANs that the kernel has no interface for.
 * False: it filters and cannot be told not to.
 */
bool tags_unfilter(const char *iface);
