/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Punt: what is not for the appliance goes to the kernel, and what the kernel
 * sends leaves by the port, so that ssh, DHCP, TFTP and LLDP share it.
 *
 * A port that punts has an interface of the kernel's beside it (port/ktap.h):
 * "wherry-PORT", with the port's MAC and MTU, its carrier the port's link.  An
 * operator gives it addresses, or a daemon; the appliance gives it none.
 *
 * WHOSE IS A FRAME.  An address belongs to one stack, never to both:
 *  - AoE is the appliance's, always; so is what is sent to another station's MAC
 *    (a switch that floods), which is dropped.
 *  - ARP and neighbour solicitations for an address of the appliance are answered
 *    by it and go no further: two answers would be one too many.  All others go
 *    to the kernel, which answers for its own addresses.  What teaches (answers,
 *    announcements, advertisements of routers, multicast listener queries) is
 *    read by the appliance and then goes to the kernel as well.
 *  - IP for an address of the appliance is its own: echo is answered, TCP to a
 *    port that nobody listens on is reset, UDP is "port unreachable".  Nothing of
 *    it goes to the kernel, which must not have the same address: otherwise who
 *    answers would depend on which ports are in use, and every connection of one
 *    stack would look to the other like a stranger's, to be reset.
 *  - All other IP goes to the kernel: for its addresses, broadcast, multicast, and
 *    for nobody's (the kernel drops that, or forwards it if told to).
 *  - So do other EtherTypes (LLDP, EAPOL, ...) and VLANs that the port does not
 *    serve.  Tags stay in the frame: "ip link add link wherry-PORT type vlan"
 *    works for both kinds.
 *  - While the gate is closed the appliance has no addresses yet: all but AoE is
 *    the kernel's, so that ssh works on a machine whose configuration does not.
 * What the kernel sends goes out of the port, nowhere else: it cannot reach the
 * appliance of its own machine this way, and no frame can come back in a circle.
 * A port on AF_PACKET punts nothing, because the kernel has that interface itself.
 *
 * WHO DOES THE WORK.  A system call for each frame has no place on a worker.  It
 * copies the frame into a ring of its own and frees it, as if it had dropped it;
 * main empties the rings into the taps.  What the taps yield main reads into
 * packets of the port and hands to the worker that owns a transmit queue.
 *
 * LIMITS.  punt_rate frames a second and port, each way, a tenth of it at once.
 * A worker counts first, before it copies: a flood costs it what a drop costs.
 * Main counts again, over all workers.  Frames of the kernel over the limit stay
 * in the kernel's queue.  Main takes PUNT_TURN frames each way before it looks at
 * the control socket again, and a tap that is full or down loses the frame.
 *
 * Threads: functions say whose they are.  Counters of a worker are read by main.
 */
#pragma once

#include <stdint.h>

#include "lcore/worker.h"

/* ---- main lcore ---- */

/* Rings and limits for the ports that punt.  After the workers are created and the ports are open, before the workers
 * start.  0 or -errno. */
int punt_open(void);
void punt_close(void);

/* Readable when punt_poll has something to do; -1: no port punts. */
int punt_poll_fd(void);
void punt_poll(void);

/* Add the port's counters to values. */
void punt_stats(unsigned port_index, uint64_t values[WHERRY_PORT_STAT_COUNT]);
