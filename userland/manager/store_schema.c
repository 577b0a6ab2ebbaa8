// SPDX-License-Identifier: GPL-2.0-or-later
/* The store's tables, by version, as each of the two databases has them. */
#include "lib/log.h"
#include "manager/store_sql.h"

/* What follows a table: names differ by case and by a space at their end, as in SQLite. */
#define TABLE_END ") ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;"

/* From each version to the next one. Never change one that was released: add another. */
const char *const schema_migrations[][SQL_DIALECTS] = {
	{
		[SQL_SQLITE] =
			"CREATE TABLE users (name TEXT PRIMARY KEY NOT NULL,"
			" type TEXT NOT NULL CHECK (type IN ('administrator', 'user', 'viewonly')), hash TEXT NOT NULL) STRICT;"
			"CREATE TABLE devices (id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 64), name TEXT NOT NULL,"
			" address TEXT NOT NULL, port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535), model TEXT NOT NULL,"
			" firmware TEXT NOT NULL, state TEXT NOT NULL, serial TEXT NOT NULL, starts INTEGER NOT NULL,"
			" ends INTEGER NOT NULL, adopted_at TEXT NOT NULL, adopted_by TEXT NOT NULL,"
			" settings_revision INTEGER NOT NULL) STRICT;"
			"CREATE TABLE settings (only INTEGER PRIMARY KEY CHECK (only = 1), wanted TEXT NOT NULL,"
			" revision INTEGER NOT NULL) STRICT;"
			"CREATE TABLE audit (number INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, who TEXT NOT NULL,"
			" what TEXT NOT NULL, device TEXT NOT NULL, text TEXT NOT NULL) STRICT;"
			"PRAGMA user_version = 1;",
		[SQL_MARIADB] =
			"CREATE TABLE IF NOT EXISTS users (name VARCHAR(255) PRIMARY KEY NOT NULL,"
			" type VARCHAR(16) NOT NULL CHECK (type IN ('administrator', 'user', 'viewonly')),"
			" hash TEXT NOT NULL" TABLE_END
			"CREATE TABLE IF NOT EXISTS devices (id VARCHAR(64) PRIMARY KEY NOT NULL CHECK (length(id) = 64),"
			" name TEXT NOT NULL, address TEXT NOT NULL, port BIGINT NOT NULL CHECK (port BETWEEN 1 AND 65535),"
			" model TEXT NOT NULL, firmware TEXT NOT NULL, state TEXT NOT NULL, serial TEXT NOT NULL,"
			" starts BIGINT NOT NULL, ends BIGINT NOT NULL, adopted_at TEXT NOT NULL, adopted_by TEXT NOT NULL,"
			" settings_revision BIGINT NOT NULL" TABLE_END
			"CREATE TABLE IF NOT EXISTS settings (only BIGINT PRIMARY KEY NOT NULL CHECK (only = 1),"
			" wanted MEDIUMTEXT NOT NULL, revision BIGINT NOT NULL" TABLE_END
			"CREATE TABLE IF NOT EXISTS audit (number BIGINT PRIMARY KEY NOT NULL AUTO_INCREMENT,"
			" time TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, device TEXT NOT NULL,"
			" text TEXT NOT NULL" TABLE_END,
	},
	{
		[SQL_SQLITE] =
			"CREATE TABLE groups (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE) STRICT;"
			"CREATE TABLE sets (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE) STRICT;"
			"CREATE TABLE group_users (owner INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,"
			" member TEXT NOT NULL REFERENCES users ON DELETE CASCADE, PRIMARY KEY (owner, member)) STRICT;"
			"CREATE TABLE group_sets (owner INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,"
			" member INTEGER NOT NULL REFERENCES sets ON DELETE CASCADE, PRIMARY KEY (owner, member)) STRICT;"
			"CREATE TABLE set_devices (owner INTEGER NOT NULL REFERENCES sets ON DELETE CASCADE,"
			" member TEXT NOT NULL REFERENCES devices ON DELETE CASCADE, PRIMARY KEY (owner, member)) STRICT;"
			"PRAGMA user_version = 2;",
		[SQL_MARIADB] =
			"CREATE TABLE IF NOT EXISTS groups (id BIGINT PRIMARY KEY NOT NULL AUTO_INCREMENT,"
			" name VARCHAR(255) NOT NULL UNIQUE" TABLE_END
			"CREATE TABLE IF NOT EXISTS sets (id BIGINT PRIMARY KEY NOT NULL AUTO_INCREMENT,"
			" name VARCHAR(255) NOT NULL UNIQUE" TABLE_END
			"CREATE TABLE IF NOT EXISTS group_users (owner BIGINT NOT NULL, member VARCHAR(255) NOT NULL,"
			" PRIMARY KEY (owner, member), FOREIGN KEY (owner) REFERENCES groups (id) ON DELETE CASCADE,"
			" FOREIGN KEY (member) REFERENCES users (name) ON DELETE CASCADE" TABLE_END
			"CREATE TABLE IF NOT EXISTS group_sets (owner BIGINT NOT NULL, member BIGINT NOT NULL,"
			" PRIMARY KEY (owner, member), FOREIGN KEY (owner) REFERENCES groups (id) ON DELETE CASCADE,"
			" FOREIGN KEY (member) REFERENCES sets (id) ON DELETE CASCADE" TABLE_END
			"CREATE TABLE IF NOT EXISTS set_devices (owner BIGINT NOT NULL, member VARCHAR(64) NOT NULL,"
			" PRIMARY KEY (owner, member), FOREIGN KEY (owner) REFERENCES sets (id) ON DELETE CASCADE,"
			" FOREIGN KEY (member) REFERENCES devices (id) ON DELETE CASCADE" TABLE_END,
	},
	{
		[SQL_SQLITE] =
			"ALTER TABLE users ADD COLUMN entry TEXT NOT NULL DEFAULT '';"
			"ALTER TABLE users ADD COLUMN gone INTEGER NOT NULL DEFAULT 0 CHECK (gone IN (0, 1));"
			"CREATE TABLE directory (only INTEGER PRIMARY KEY CHECK (only = 1), settings TEXT NOT NULL,"
			" keeper TEXT NOT NULL) STRICT;"
			"PRAGMA user_version = 3;",
		[SQL_MARIADB] =
			"ALTER TABLE users ADD COLUMN IF NOT EXISTS entry TEXT NOT NULL DEFAULT '';"
			"ALTER TABLE users ADD COLUMN IF NOT EXISTS gone BIGINT NOT NULL DEFAULT 0 CHECK (gone IN (0, 1));"
			"CREATE TABLE IF NOT EXISTS directory (only BIGINT PRIMARY KEY NOT NULL CHECK (only = 1),"
			" settings MEDIUMTEXT NOT NULL, keeper VARCHAR(255) NOT NULL" TABLE_END,
	},
};

const int schema_version = sizeof(schema_migrations) / sizeof(schema_migrations[0]);

bool schema_known(const char *name, int version)
{
	if (version >= 0 && version <= schema_version)
		return true;
	log_error("%s is of version %d, from a newer kvmnet-manager; this one knows up to %d: install the "
		  "newer one again, or put it back from a backup of before",
		  name, version, schema_version);
	return false;
}
