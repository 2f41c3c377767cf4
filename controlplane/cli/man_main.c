/* SPDX-License-Identifier: BSD-3-Clause */
/* Build-time generator: wherry-man PAGE FILE */
#include <stdio.h>
#include <string.h>

#include "cli/man.h"

int main(int argc, char **argv)
{
	static const struct {
		const char *page;
		void (*write)(FILE *out);
	} pages[] = {
		{"wherryctl.1", man_wherryctl},
		{"wherryd.8", man_wherryd},
		{"wherry-dataplane.8", man_dataplane},
		{"wherry.7", man_overview},
	};
	for (size_t i = 0; argc == 3 && i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strcmp(argv[1], pages[i].page))
			continue;
		FILE *out = fopen(argv[2], "we");
		if (!out) {
			perror(argv[2]);
			return 1;
		}
		pages[i].write(out);
		return fclose(out) ? 1 : 0;
	}
	(void)fprintf(stderr, "usage: wherry-man PAGE FILE\n");
	return 2;
}
