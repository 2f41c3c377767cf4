/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulator of the AoE target. */
#include "runner.h"
#include "world.h"

int main(int argc, char **argv)
{
	static const struct runner_plant plants[] = {
		{"stale-write", "volume requests out of order", PLANT_STALE_WRITE},
		{"overtaken-write", "frames do not tell how long they have waited", PLANT_OVERTAKEN_WRITE},
		{"ack-before-durable", "the disk takes FUA for a hint", PLANT_ACK_BEFORE_DURABLE},
		{"lost-persist", "the control plane acknowledges what it has not kept", PLANT_LOST_PERSIST},
		{NULL, NULL, PLANT_NONE},
	};
	static const struct runner program = {
		.name = "sim",
		.about = "Runs AoE clients, a network, disks and a control plane, all simulated, against\n"
			 "the real AoE target and volumes, from a seed.  Exit status 1: a promise was broken.",
		.plants = plants,
		.count_names = {"reads", "writes", "repeats", "waits for an earlier one", "read-modify-writes",
				"handed over"},
		.run = world_run,
	};
	return runner_main(&program, argc, argv);
}
