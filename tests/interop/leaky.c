/* SPDX-License-Identifier: BSD-3-Clause */
/* Linked into a dataplane in place of port_pkt_free: the first packet that is given back is lost. */
#include <stdatomic.h>

#include "port/port.h"

void __real_port_pkt_free(struct pkt *pkt);
void __wrap_port_pkt_free(struct pkt *pkt);

void __wrap_port_pkt_free(struct pkt *pkt)
{
	static atomic_flag lost = ATOMIC_FLAG_INIT;
	if (atomic_flag_test_and_set(&lost))
		__real_port_pkt_free(pkt);
}
