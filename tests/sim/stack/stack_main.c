/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulator of the TCP/IP stack and NBD. */
#include "stack_world.h"

int main(int argc, char **argv)
{
	static const struct runner_plant plants[] = {
		{"ack-before-durable", "the disk takes FUA for a hint", PLANT_ACK_BEFORE_DURABLE},
		{"bad-checksum", "checksums are taken for good", PLANT_BAD_CHECKSUM},
		{"deaf-to-mtu", "the MTU that a router tells is forgotten", PLANT_DEAF_TO_MTU},
		{NULL, NULL, PLANT_NONE},
	};
	static const struct runner program = {
		.name = "sim-stack",
		.about = "Runs NBD clients on two kinds of TCP, a network, a router and disks, all simulated, against\n"
			 "the real TCP/IP stack, NBD server and volumes, from a seed.  Exit status 1: a promise was\n"
			 "broken.",
		.plants = plants,
		.count_names = {"reads", "writes", "errors", "connections", "frames", "lost", "damaged",
				"retransmitted", "timeouts", "handed over"},
		.run = stack_world_run,
	};
	return runner_main(&program, argc, argv);
}
