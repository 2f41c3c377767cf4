/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of the reasons for which decoders refuse. */
#include "wire/wire.h"

const char *wire_reason_text(enum wire_reason reason)
{
	static const char *const texts[WIRE_REASON_COUNT] = {
#define WIRE_REASON_TEXT_(name, text) text,
		WIRE_REASONS(WIRE_REASON_TEXT_)
#undef WIRE_REASON_TEXT_
	};
	return (unsigned)reason < WIRE_REASON_COUNT ? texts[reason] : "unknown reason";
}
