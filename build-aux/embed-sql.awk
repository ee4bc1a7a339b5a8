# SPDX-License-Identifier: MIT
# awk -f embed-sql.awk SCHEMA MIGRATION... : SQL files as C string literals.
#
# The first file becomes sql_schema; the others, NNNN_name.sql, become
# sql_migrations in the order given, which must be 1, 2, 3, ...

function fail(why)
{
	print FILENAME ":" FNR ": " why > "/dev/stderr"
	failed = 1
	exit 1
}

function begin_migration(    name)
{
	name = FILENAME
	sub(/^.*\//, "", name)
	if (name !~ /^[0-9][0-9][0-9][0-9]_[a-z0-9_]+\.sql$/)
		fail("a migration is named NNNN_name.sql")
	if (substr(name, 1, 4) + 0 != ++version)
		fail("expected migration " version)
	sub(/\.sql$/, "", name)
	printf "\t{%d, \"%s\",\n", version, name
}

BEGIN {
	print "/* Made from the SQL files by embed-sql.awk; do not edit. */"
	print "static const char sql_schema[] ="
}

FNR == 1 && ++file == 2 {
	print "\t;\n"
	print "static const struct migrate_step sql_migrations[] = {"
}

FNR == 1 && file > 1 {
	if (file > 2)
		print "\t},"
	begin_migration()
}

/[\001-\010\013-\037\177]/ {
	fail("a control character")
}

{
	gsub(/[\\"?]/, "\\\\&")
	gsub(/\t/, "\\\\t")
	print "\t\"" $0 "\\n\""
}

END {
	if (failed)
		exit 1
	if (file < 2 || file != ARGC - 1)
		fail("expected a schema and migrations, none of them empty")
	print "\t},\n};"
}
