/* SPDX-License-Identifier: MIT */
/* What was begun comes back as it was written, and goes when it is dropped. */
#include "manifest_fixture.h"

#include "manifest/resume.h"

static const unsigned char etag_1[16] = "0123456789abcdef";
static const unsigned char etag_2[16] = "fedcba9876543210";

static const struct manifest_upload upload = {
	.key = "big\0one", .key_len = 7, .upload_id = "id/1", .token = "t",
	.part_size = 5, .checksum = "CRC32C", .local = { 1, 2, 3, 4 }, .started_ns = 6,
};

static const struct manifest_download download = {
	.key = "down", .key_len = 4,
	.remote = { .size = 9, .mtime_ms = 8,
		.etag = { (const unsigned char *)"e-1", 3, false } },
	.part_size = 7, .name = "get-1", .done = (const unsigned char *)"\x05",
	.done_len = 1, .started_ns = 3,
};

static void put_part(int number, const unsigned char *etag, bool binary)
{
	const struct manifest_part part = {
		.number = number,
		.etag = { etag, 16, binary },
		.checksum = number == 2 ? (const unsigned char *)"sum" : NULL,
		.checksum_len = number == 2 ? 3 : 0,
	};

	assert_int_equal(manifest_resume_part_put(m, upload.key,
	    upload.key_len, &part), 0);
}

struct seen {
	int count;
	int numbers[8];
	char text[200];
};

static void add_text(struct seen *seen, const char *text)
{
	size_t len = strlen(seen->text);

	seen->count++;
	snprintf(seen->text + len, sizeof(seen->text) - len, "%s", text);
}

static void see_part(void *arg, const struct manifest_part *part)
{
	struct seen *seen = arg;

	seen->numbers[seen->count++] = part->number;
	assert_memory_equal(part->etag.bytes,
	    part->number == 1 ? etag_1 : etag_2, part->etag.len);
	assert_int_equal(part->etag.binary, part->number == 1);
	assert_int_equal(part->checksum_len, part->number == 2 ? 3 : 0);
	assert_int_equal(part->checksum != NULL, part->number == 2);
}

static struct seen parts(void)
{
	struct seen seen = { .count = 0 };

	assert_int_equal(manifest_resume_parts(m, upload.key, upload.key_len,
	    see_part, &seen, &err), 0);
	return seen;
}

static void an_upload_comes_back_after_a_death(void **state)
{
	struct manifest_upload found;

	(void)state;
	assert_int_equal(manifest_resume_upload_put(m, &upload), 0);
	assert_int_equal(manifest_commit(m, &err), 0);
	reopen_as(MANIFEST_WRITE);
	assert_int_equal(manifest_resume_upload_find(m, upload.key,
	    upload.key_len, &found, &err), 1);
	assert_int_equal(found.key_len, 7);
	assert_memory_equal(found.key, upload.key, 7);
	assert_string_equal(found.upload_id, "id/1");
	assert_string_equal(found.token, "t");
	assert_int_equal(found.part_size, 5);
	assert_string_equal(found.checksum, "CRC32C");
	assert_true(signature_local_equal(&found.local, &upload.local));
	assert_int_equal(found.started_ns, 6);
	assert_int_equal(manifest_resume_upload_find(m, "big", 3, &found,
	    &err), 0);
}

static void its_parts_come_in_order(void **state)
{
	struct seen seen;

	(void)state;
	manifest_resume_upload_put(m, &upload);
	put_part(3, etag_2, false);
	put_part(1, etag_1, true);
	put_part(2, etag_2, false);
	put_part(2, etag_2, false);
	seen = parts();
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.numbers[0], 1);
	assert_int_equal(seen.numbers[1], 2);
	assert_int_equal(seen.numbers[2], 3);
}

static void parts_go_with_their_upload(void **state)
{
	struct manifest_upload found;

	(void)state;
	manifest_resume_upload_put(m, &upload);
	put_part(1, etag_1, true);
	assert_int_equal(manifest_resume_upload_drop(m, upload.key,
	    upload.key_len), 0);
	assert_int_equal(parts().count, 0);
	assert_int_equal(manifest_resume_upload_find(m, upload.key,
	    upload.key_len, &found, &err), 0);
}

static void a_new_upload_has_none_of_the_old_ones_parts(void **state)
{
	(void)state;
	manifest_resume_upload_put(m, &upload);
	put_part(1, etag_1, true);
	manifest_resume_upload_put(m, &upload);
	assert_int_equal(parts().count, 0);
}

static void see_upload(void *arg, const struct manifest_upload *u)
{
	struct seen *seen = arg;

	add_text(seen, u->upload_id);
}

static void all_uploads_are_told(void **state)
{
	struct manifest_upload second = upload;
	struct seen seen = { .count = 0 };

	(void)state;
	second.key = "a";
	second.key_len = 1;
	second.upload_id = "2";
	manifest_resume_upload_put(m, &upload);
	manifest_resume_upload_put(m, &second);
	assert_int_equal(manifest_resume_uploads(m, see_upload, &seen, &err),
	    0);
	assert_string_equal(seen.text, "2id/1");
}

static void see_download(void *arg, const struct manifest_download *d)
{
	struct seen *seen = arg;

	add_text(seen, d->name);
}

static void a_download_comes_back(void **state)
{
	struct manifest_download found;
	struct seen seen = { .count = 0 };

	(void)state;
	assert_int_equal(manifest_resume_download_put(m, &download), 0);
	assert_int_equal(manifest_resume_download_find(m, "down", 4, &found,
	    &err), 1);
	assert_true(signature_remote_equal(&found.remote, &download.remote));
	assert_int_equal(found.remote.mtime_ms, 8);
	assert_int_equal(found.part_size, 7);
	assert_string_equal(found.name, "get-1");
	assert_int_equal(found.done_len, 1);
	assert_int_equal(found.done[0], 5);
	assert_int_equal(found.started_ns, 3);
	assert_int_equal(manifest_resume_downloads(m, see_download, &seen,
	    &err), 0);
	assert_string_equal(seen.text, "get-1");
	assert_int_equal(manifest_resume_download_drop(m, "down", 4), 0);
	assert_int_equal(manifest_resume_download_find(m, "down", 4, &found,
	    &err), 0);
}

static void a_new_manifest_has_begun_nothing(void **state)
{
	struct seen seen = { .count = 0 };

	(void)state;
	assert_int_equal(manifest_resume_uploads(m, see_upload, &seen, &err),
	    0);
	assert_int_equal(manifest_resume_downloads(m, see_download, &seen,
	    &err), 0);
	assert_int_equal(seen.count, 0);
	assert_int_equal(manifest_resume_any(m, &err), 0);
}

static void it_is_known_whether_anything_was_begun(void **state)
{
	(void)state;
	manifest_resume_upload_put(m, &upload);
	assert_int_equal(manifest_resume_any(m, &err), 1);
	manifest_resume_upload_drop(m, upload.key, upload.key_len);
	assert_int_equal(manifest_resume_any(m, &err), 0);
	manifest_resume_download_put(m, &download);
	assert_int_equal(manifest_resume_any(m, &err), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    an_upload_comes_back_after_a_death, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    its_parts_come_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    parts_go_with_their_upload, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_new_upload_has_none_of_the_old_ones_parts, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    all_uploads_are_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_download_comes_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    it_is_known_whether_anything_was_begun, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_new_manifest_has_begun_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
