/* SPDX-License-Identifier: MIT */
/* Numbers to text, rounded so that three digits stay, and sizes back. */
#include "base/human.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

const char *human_bytes(int64_t bytes, char out[HUMAN_MAX])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB",
		"EiB" };
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1000) {
		snprintf(out, HUMAN_MAX, "%" PRId64 " B", bytes);
		return out;
	}
	/* 999.5 would be rounded to four digits. */
	while (value >= 999.5) {
		value /= 1024;
		unit++;
	}
	snprintf(out, HUMAN_MAX, "%.*f %s", value < 9.95 ? 1 : 0, value,
	    units[unit]);
	return out;
}

int human_parse_bytes(const char *text, int64_t *bytes)
{
	static const char letters[] = "KMGTPE";
	double value, most = 9.2e18; /* what int64_t holds */
	const char *letter;
	char *end;

	if (*text < '0' || *text > '9') /* strtod takes more than numbers */
		return -1;
	value = strtod(text, &end);
	if (strcspn(text, "xXeE") < (size_t)(end - text))
		return -1;
	end += *end == ' ';
	letter = *end ? strchr(letters, toupper((unsigned char)*end)) : NULL;
	if (letter) {
		for (long i = letter - letters; i >= 0; i--)
			value *= 1024;
		end += strncasecmp(end + 1, "iB", 2) == 0 ? 3 : 1;
	} else if (*end == 'B' || *end == 'b') {
		end++;
	}
	if (*end || value > most)
		return -1;
	*bytes = (int64_t)value;
	return 0;
}

const char *human_duration(int64_t ns, char out[HUMAN_MAX])
{
	int64_t s = ns / CLOCK_SECOND;
	int64_t m = s / 60, h = m / 60, d = h / 24;

	if (d > 0)
		snprintf(out, HUMAN_MAX, "%" PRId64 "d %02d:%02d", d,
		    (int)(h % 24), (int)(m % 60));
	else if (h > 0)
		snprintf(out, HUMAN_MAX, "%" PRId64 ":%02d:%02d", h,
		    (int)(m % 60), (int)(s % 60));
	else
		snprintf(out, HUMAN_MAX, "%" PRId64 ":%02d", m, (int)(s % 60));
	return out;
}

const char *human_count(int64_t count, char out[HUMAN_MAX])
{
	char digits[HUMAN_MAX];
	int len = snprintf(digits, sizeof(digits), "%" PRId64, count);
	int i, at = 0;

	for (i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}
