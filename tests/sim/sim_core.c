/* SPDX-License-Identifier: MIT */
/* Randomness, time and history of a simulated world. */
#include "sim_core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"

#define EPOCH_NS (INT64_C(1700000000) * CLOCK_SECOND)
#define TICK_MAX_NS (50 * 1000)

static int64_t sim_wall(void *arg)
{
	struct sim *sim = arg;

	sim_pass(sim, 1);
	return sim->wall_ns;
}

static int64_t sim_mono(void *arg)
{
	struct sim *sim = arg;

	sim_pass(sim, 1);
	return sim->mono_ns;
}

static uint64_t sim_clock_random(void *arg)
{
	return sim_random(arg);
}

void sim_init(struct sim *sim, uint64_t seed)
{
	*sim = (struct sim){
		.random_state = seed * UINT64_C(0x2545f4914f6cdd1d) + 1,
		.wall_ns = EPOCH_NS,
		.mono_ns = CLOCK_SECOND,
		.hash = UINT64_C(0xcbf29ce484222325),
	};
	sim->clock = (struct clock_source){
		.wall_ns = sim_wall,
		.mono_ns = sim_mono,
		.random = sim_clock_random,
		.arg = sim,
	};
	clock_install(&sim->clock);
}

void sim_release(struct sim *sim)
{
	(void)sim;
	clock_install(NULL);
}

/* splitmix64 */
uint64_t sim_random(struct sim *sim)
{
	uint64_t z = sim->random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t sim_below(struct sim *sim, uint64_t limit)
{
	return sim_random(sim) % limit;
}

bool sim_chance(struct sim *sim, unsigned per_mille)
{
	return per_mille > 0 && sim_below(sim, 1000) < per_mille;
}

bool sim_fault(struct sim *sim, enum sim_fault fault)
{
	struct sim_dial *dial = &sim->dials[fault];

	if (dial->times > 0) {
		if (dial->skip > 0) {
			dial->skip--;
			return false;
		}
		dial->times--;
	} else if (!sim_chance(sim, dial->per_mille)) {
		return false;
	}
	sim_event(sim, "fault %d", (int)fault);
	return true;
}

void sim_script(struct sim *sim, enum sim_fault fault, unsigned skip,
    unsigned times)
{
	sim->dials[fault] = (struct sim_dial){ .skip = skip, .times = times };
}

void sim_pass(struct sim *sim, int64_t ns)
{
	sim->wall_ns += ns;
	sim->mono_ns += ns;
}

void sim_step(struct sim *sim)
{
	if (sim->dead)
		return;
	sim_pass(sim, 1 + (int64_t)sim_below(sim, TICK_MAX_NS));
	if (++sim->steps == sim->kill_at) {
		sim_event(sim, "killed");
		sim->dead = true;
		sim->killed(sim->arg);
		return;
	}
	if (sim->world != NULL && !sim->still) {
		sim->still = true;
		sim->world(sim->arg);
		sim->still = false;
	}
}

/* FNV-1a over the text, and over the time, so that a difference in either
 * shows. */
void sim_event(struct sim *sim, const char *format, ...)
{
	char line[1024];
	va_list ap;
	int len;

	len = snprintf(line, sizeof(line), "%12lld ",
	    (long long)(sim->wall_ns - EPOCH_NS) / 1000);
	va_start(ap, format);
	vsnprintf(line + len, sizeof(line) - (size_t)len, format, ap);
	va_end(ap);
	for (const char *p = line; *p != '\0'; p++)
		sim->hash =
		    (sim->hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	if (sim->verbose)
		printf("# %s\n", line);
}

void sim_broken(struct sim *sim, const char *format, ...)
{
	va_list ap;

	if (sim->broken[0] != '\0')
		return;
	va_start(ap, format);
	vsnprintf(sim->broken, sizeof(sim->broken), format, ap);
	va_end(ap);
	sim_event(sim, "BROKEN: %s", sim->broken);
}

const char *sim_text(const char *key, size_t len)
{
	static char texts[4][256];
	static unsigned next;
	char *out = texts[next++ % 4];
	char *printable = path_printable(key, len);

	snprintf(out, sizeof(texts[0]), "'%s'", printable);
	free(printable);
	return out;
}

void sim_keys_add(struct sim_keys *keys, const char *key, size_t len)
{
	ALLOC_GROW(keys->items, keys->count + 1, keys->room);
	keys->items[keys->count++] = (struct sim_key){
		.bytes = alloc_copy(key, len),
		.len = len,
	};
}

bool sim_keys_has(const struct sim_keys *keys, const char *key, size_t len)
{
	for (size_t i = 0; i < keys->count; i++)
		if (path_compare(keys->items[i].bytes, keys->items[i].len, key,
			len) == 0)
			return true;
	return false;
}

bool sim_keys_covers(const struct sim_keys *keys, const char *key, size_t len)
{
	for (size_t i = 0; i < keys->count; i++) {
		const struct sim_key *item = &keys->items[i];
		size_t name_len = item->len;

		if (name_len > 0 && item->bytes[name_len - 1] == '/')
			name_len--;
		if ((len > name_len && key[name_len] == '/' &&
			memcmp(key, item->bytes, name_len) == 0) ||
		    path_compare(key, len, item->bytes, item->len) == 0)
			return true;
	}
	return false;
}

void sim_keys_release(struct sim_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		free(keys->items[i].bytes);
	free(keys->items);
	*keys = (struct sim_keys){ 0 };
}

void sim_shown_reset(struct sim_shown *shown)
{
	sim_keys_release(&shown->local);
	sim_keys_release(&shown->unknown);
	sim_keys_release(&shown->remote);
	shown->scanned = shown->listed = false;
}
