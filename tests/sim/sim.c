/* SPDX-License-Identifier: MIT */
/*
 * Simulated worlds: one to three machines that share a bucket, users who do
 * what they like, servers and disks that fail, deaths at any moment. When all
 * that ends, everything promised in doc/sync-model.md must hold. One seed is
 * one world, the same each time.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "sim_machine.h"
#include "sim_user.h"

#define DEFAULT_RUNS 300
#define A_DAY_NS (25 * 3600 * CLOCK_SECOND) /* longer than any backoff */
#define A_MONTH_NS (31 * A_DAY_NS) /* longer than a probe is believed */
#define TWICE_EVERY 10 /* so many worlds are run a second time */
#define ROUNDS 3       /* within which quiet machines agree */

struct world {
	struct sim sim;
	struct sim_store store;
	struct sim_user user;
	struct sim_pair pair;
	struct filter *filter;
	struct sim_machine machines[SIM_USER_TREES];
	size_t machine_count;
	struct sim_machine *running;
	unsigned busy;      /* per mille of steps at which a user acts */
	unsigned impatient; /* … at which the program is told to stop */
	unsigned fickle; /* … of cycles before which the server is another */
	bool honoured;   /* all conditions are, at all times */
};

static char *words[] = { (char *)".completed", (char *)".failed" };

/*
 * Making a world
 */

static void set_faults(struct world *w)
{
	static const unsigned rates[] = { 10, 50, 100, 300, 700 };
	struct sim *sim = &w->sim;
	unsigned trouble = (unsigned)sim_below(sim, 4) * 120;

	for (int i = 0; i < SIM_FAULT_COUNT; i++)
		if (sim_chance(sim, trouble))
			sim->dials[i].per_mille = rates[sim_below(sim,
			    sizeof(rates) / sizeof(rates[0]))];
	if (sim_chance(sim, 500))
		sim->dials[FAULT_GET_CORRUPT_PARTS].per_mille = 300;
	if (sim_chance(sim, 300)) {
		sim->dials[FAULT_PUT_RIVAL].per_mille = 200;
		sim->dials[FAULT_LOOK_RIVAL].per_mille = 200;
	}
	w->busy = (unsigned[]){ 0, 5, 20, 80 }[sim_below(sim, 4)];
	w->impatient = sim_chance(sim, 200) ? 2 : 0;
}

static void step(void *arg)
{
	struct world *w = arg;

	for (size_t i = 0; i < w->machine_count; i++)
		sim_tree_settle(&w->machines[i].tree);
	if (sim_chance(&w->sim, w->busy))
		sim_user_act(&w->user);
	if (w->running != NULL && sim_chance(&w->sim, w->impatient))
		sim_machine_ask_to_stop(w->running);
}

static void killed(void *arg)
{
	struct world *w = arg;

	sim_machine_killed(w->running);
}

static void hear(enum log_level level, const char *line, void *arg)
{
	if (level <= LOG_LEVEL_WARNING)
		sim_event(arg, "log: %s", line);
}

static void make_pair(struct world *w)
{
	static const int64_t settle_ns[] = { 0, 2 * CLOCK_SECOND,
		10 * CLOCK_SECOND };
	struct error err = ERROR_INIT;
	struct sim *sim = &w->sim;

	w->filter = filter_new();
	if (filter_add(w->filter, false, "temp_*", &err) < 0 ||
	    (sim_chance(sim, 100) &&
		filter_add(w->filter, false, "b/", &err) < 0))
		abort();
	w->pair = (struct sim_pair){
		.filter = w->filter,
		.settle_ns = settle_ns[sim_below(sim, 3)],
		.jobs = 1 + sim_below(sim, 4),
	};
	if (sim_chance(sim, 600))
		w->pair.done_suffixes = (struct conf_words){ words, 2, 2 };
}

/* Half of the worlds have transfers in parts. */
static void make_parts(struct world *w)
{
	struct sim *sim = &w->sim;
	bool in_parts = sim_chance(sim, 500);
	int64_t size = w->user.large ? 100000 : 3000;

	w->pair.part_size = 1 + size / 10 + (int64_t)sim_below(sim, (uint64_t)size);
	w->pair.multipart_threshold = in_parts
	    ? 1 + (int64_t)sim_below(sim, 2 * (uint64_t)size) : INT64_MAX;
	w->user.part_size = sim_chance(sim, 700) ? w->pair.part_size : 0;
	w->store.parts_made_up = sim_chance(sim, 200);
}

static void draw_conditions(struct world *w)
{
	struct sim *sim = &w->sim;

	/* What was found out before is older, to the millisecond. */
	sim_pass(sim, CLOCK_SECOND);
	sim_conditions_draw(&w->store.conditions, sim, w->pair.probe);
	w->honoured &= sim_conditions_are_honoured(&w->store.conditions);
	sim_pass(sim, CLOCK_SECOND);
}

static void make_server(struct world *w)
{
	struct sim *sim = &w->sim;

	w->pair.probe = !sim_chance(sim, 80);
	w->store.spoils = sim_chance(sim, 300);
	w->store.silent_copies = sim_chance(sim, 300);
	w->fickle = sim_chance(sim, 350) ? 300 : 0;
	w->honoured = true;
	draw_conditions(w);
}

static void make(struct world *w, uint64_t seed, const char *dir, bool verbose)
{
	struct sim *sim = &w->sim;
	char path[PATH_MAX];

	*w = (struct world){ 0 };
	sim_init(sim, seed);
	log_capture(hear, sim);
	sim->verbose = verbose;
	sim->world = step;
	sim->killed = killed;
	sim->arg = w;
	make_pair(w);
	sim_store_init(&w->store, sim, sim_chance(sim, 500) ? "p/" : "");
	w->store.etags = sim_chance(sim, 500)
	    ? SIM_ETAGS_MD5
	    : (enum sim_etags)sim_below(sim, SIM_ETAGS_COUNT);
	w->store.signs = sim_chance(sim, 500);
	make_server(w);
	sim_user_init(&w->user, &w->store);
	w->user.settle_ns = w->pair.settle_ns;
	w->user.large = sim_chance(sim, 500);
	make_parts(w);
	w->machine_count = 1 + sim_below(sim, SIM_USER_TREES);
	for (size_t i = 0; i < w->machine_count; i++) {
		snprintf(path, sizeof(path), "%s/%zu.db", dir, i);
		sim_machine_init(&w->machines[i], &w->pair, &w->store, path);
		w->user.trees[w->user.tree_count++] = &w->machines[i].tree;
	}
}

static void unmake(struct world *w)
{
	for (size_t i = 0; i < w->machine_count; i++)
		sim_machine_release(&w->machines[i]);
	sim_store_release(&w->store);
	log_capture(NULL, NULL);
	filter_free(w->filter);
	sim_release(&w->sim);
}

/*
 * Its history
 */

static bool is_sound(const struct world *w)
{
	return w->sim.broken[0] == '\0';
}

static void trouble(struct world *w)
{
	struct sim *sim = &w->sim;
	struct sim_machine *m = &w->machines[sim_below(sim, w->machine_count)];
	/* What goes in parts takes longer. */
	uint64_t span = w->pair.multipart_threshold < INT64_MAX ? 400 : 100;

	for (uint64_t acts = sim_below(sim, 25); acts > 0; acts--)
		sim_user_act(&w->user);
	if (sim_chance(sim, w->fickle))
		draw_conditions(w);
	sim_pass(sim, (int64_t)sim_below(sim, 100) * CLOCK_SECOND);
	w->running = m;
	sim->kill_at =
	    sim_chance(sim, 300) ? sim->steps + 1 + sim_below(sim, span) : 0;
	m->kill_probe |= sim->kill_at == 0 && sim_chance(sim, 150);
	sim_machine_cycle(m, sim_chance(sim, 500), false);
	if (sim->dead)
		sim_machine_restart(m);
	sim->kill_at = 0;
	w->running = NULL;
}

/* The users go home, the disks and the network are repaired. */
static void calm(struct world *w)
{
	w->sim.world = NULL;
	for (size_t i = 0; i < w->machine_count; i++)
		w->machines[i].kill_probe = false;
	for (int i = 0; i < SIM_FAULT_COUNT; i++)
		w->sim.dials[i] = (struct sim_dial){ 0 };
	sim_pass(&w->sim, A_MONTH_NS);
	for (size_t i = 0; i < w->machine_count; i++)
		sim_tree_settle(&w->machines[i].tree);
	sim_user_leave(&w->user);
	sim_event(&w->sim, "calm");
}

/* What came in parts that nobody can check must come a second time. */
static bool wants_more(const struct world *w)
{
	bool moved = false;

	for (size_t i = 0; i < w->machine_count; i++)
		moved |= w->machines[i].gets > 0;
	return moved && (w->store.parts_made_up || w->user.part_size > 0);
}

static void agree(struct world *w)
{
	for (int round = 0;
	     round < ROUNDS || (round == ROUNDS && wants_more(w)); round++)
		for (size_t i = 0; i < w->machine_count; i++) {
			sim_pass(&w->sim, A_DAY_NS);
			sim_machine_cycle(&w->machines[i],
			    sim_chance(&w->sim, 500), true);
			if (!w->machines[i].complete)
				sim_broken(&w->sim, "a survey in peace failed");
		}
	for (size_t i = 0; i < w->machine_count; i++)
		sim_machine_check_converged(&w->machines[i]);
}

/* What both sides have is adopted, not transferred again. */
static void forget(struct world *w)
{
	struct sim_machine *m =
	    &w->machines[sim_below(&w->sim, w->machine_count)];

	sim_machine_lose_manifest(m);
	sim_machine_cycle(m, true, true);
	if (m->gets + m->puts > 0)
		sim_broken(&w->sim,
		    "a lost manifest cost %lld GET and %lld "
		    "PUT",
		    (long long)m->gets, (long long)m->puts);
	sim_machine_check_converged(m);
}

/* Servers that honour every condition lose nothing. */
static void check_losses(struct world *w)
{
	for (int i = 0; w->honoured && i < SIM_LOSS_COUNT; i++)
		if (w->store.losses[i] > 0)
			sim_broken(&w->sim, "a loss, and all is honoured");
}

/* That they happened at all is what makes their absence a promise. */
static struct {
	int64_t damages, damaged_parts, probes, probes_killed, honoured;
	int64_t losses[SIM_LOSS_COUNT];
} counted;

static void count(const struct world *w)
{
	counted.damages += w->store.damages;
	counted.damaged_parts += w->store.damaged_parts;
	counted.honoured += w->honoured;
	for (int i = 0; i < SIM_LOSS_COUNT; i++)
		counted.losses[i] += w->store.losses[i];
	for (size_t i = 0; i < w->machine_count; i++) {
		counted.probes += w->machines[i].probes;
		counted.probes_killed += w->machines[i].probes_killed;
	}
}

static void tell_counted(void)
{
	printf("# %" PRId64 " downloads arrived damaged, %" PRId64
	    " of them in parts\n",
	    counted.damages, counted.damaged_parts);
	printf("# %" PRId64 " probes, %" PRId64 " of them killed; %" PRId64
	    " worlds of servers that honour every condition\n",
	    counted.probes, counted.probes_killed, counted.honoured);
	printf("# of what others wrote, %" PRId64 " were lost in the window, "
	    "%" PRId64 " as the server had changed, %" PRId64
	    " as it was not to be tried\n",
	    counted.losses[SIM_LOSS_WINDOW], counted.losses[SIM_LOSS_STALE],
	    counted.losses[SIM_LOSS_UNTRIED]);
}

/* The hash of all that happened; *broken is "" where every promise held. */
static uint64_t live(uint64_t seed, const char *dir, bool verbose,
    char broken[1024])
{
	static struct world w;
	uint64_t cycles;

	make(&w, seed, dir, verbose);
	set_faults(&w);
	for (cycles = 3 + sim_below(&w.sim, 10); cycles > 0 && is_sound(&w);
	     cycles--)
		trouble(&w);
	if (is_sound(&w)) {
		calm(&w);
		agree(&w);
	}
	if (is_sound(&w))
		forget(&w);
	check_losses(&w);
	snprintf(broken, 1024, "%s", w.sim.broken);
	count(&w);
	unmake(&w);
	return w.sim.hash;
}

/*
 * Running them
 */

static int tests_run, tests_failed;

static void ok(bool good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tests_run, what);
	tests_failed += !good;
}

static bool try_seed(uint64_t seed, const char *dir, bool verbose, bool twice)
{
	char broken[1024], again[1024];
	uint64_t hash = live(seed, dir, verbose, broken);

	if (twice && broken[0] == '\0' && live(seed, dir, false, again) != hash)
		snprintf(broken, sizeof(broken),
		    "it went another way the second time");
	if (broken[0] == '\0')
		return true;
	printf("# seed %" PRIu64 ": %s\n", seed, broken);
	printf("# again: tests/sim/sim --verbose --seed %" PRIu64 "\n", seed);
	return false;
}

static bool try_seeds(uint64_t first, uint64_t count, const char *dir,
    bool verbose)
{
	bool good = true;

	for (uint64_t seed = first; seed < first + count; seed++)
		good &= try_seed(seed, dir, verbose, seed % TWICE_EVERY == 0);
	return good;
}

static bool try_file(const char *dir)
{
	const char *srcdir = getenv("srcdir");
	char path[PATH_MAX], line[256];
	bool good = true;
	FILE *in;

	snprintf(path, sizeof(path), "%s/tests/sim/seeds.txt",
	    srcdir != NULL ? srcdir : ".");
	in = fopen(path, "r");
	if (in == NULL) {
		printf("# cannot read %s\n", path);
		return false;
	}
	while (fgets(line, sizeof(line), in) != NULL)
		if (line[0] >= '0' && line[0] <= '9')
			good &= try_seed(strtoull(line, NULL, 10), dir, false,
			    true);
	fclose(in);
	return good;
}

static const struct option options[] = {
	{ "seed", required_argument, NULL, 's' },
	{ "runs", required_argument, NULL, 'r' },
	{ "verbose", no_argument, NULL, 'v' },
	{ NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	uint64_t seed = 0, runs = 0;
	bool verbose = false;
	char dir[] = "/dev/shm/s3sync-sim.XXXXXX";
	char tmp[PATH_MAX];
	const char *base = getenv("TMPDIR");
	char *made;
	int c;

	while ((c = getopt_long(argc, argv, "s:r:v", options, NULL)) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (c == 'r')
			runs = strtoull(optarg, NULL, 10);
		else if (c == 'v')
			verbose = true;
		else
			return 2;
	}
	snprintf(tmp, sizeof(tmp), "%s/s3sync-sim.XXXXXX",
	    base != NULL ? base : "/tmp");
	made = mkdtemp(dir);
	if (made == NULL)
		made = mkdtemp(tmp);
	if (made == NULL)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (seed == 0 && runs == 0)
		ok(try_file(made), "the seeds that once failed");
	if (runs == 0)
		runs = seed != 0 ? 1 : DEFAULT_RUNS;
	ok(try_seeds(seed != 0 ? seed : 1, runs, made, verbose),
	    "in each world every promise is kept");
	tell_counted();
	printf("1..%d\n", tests_run);
	rmdir(made);
	return tests_failed > 0;
}
