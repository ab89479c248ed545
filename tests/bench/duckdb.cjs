// SPDX-License-Identifier: Apache-2.0
// One delivery into DuckDB, committed. Prints the seconds of its statements alone, and the rows of the table after it.
// usage: node duckdb.cjs fill|deliver join|ignore DATABASE CSV
const { DuckDBInstance } = require("@duckdb/node-api");

const [task, way, database, csv] = process.argv.slice(2);
const COLUMNS = { index: "VARCHAR", city: "VARCHAR", date: "VARCHAR", card_type: "VARCHAR", exp_type: "VARCHAR", gender: "VARCHAR", amount: "BIGINT" };
const names = Object.keys(COLUMNS).map((name) => `"${name}"`);
const types = Object.entries(COLUMNS).map(([name, type]) => `"${name}" ${type}`);
const file = `read_csv('${csv}', header = true, columns = {${Object.entries(COLUMNS).map(([name, type]) => `'${name}': '${type}'`)}})`;
const digest = `md5_number(concat_ws(chr(31), ${names}))`;

const STATEMENTS = {
	fill: {
		join: [
			`CREATE TABLE t (${types})`,
			`INSERT INTO t SELECT * FROM ${file}`,
			`CREATE TABLE seen AS SELECT ${digest} AS digest FROM t`,
		],
		ignore: [`CREATE TABLE t (${types}, PRIMARY KEY ("index"))`, `INSERT INTO t SELECT * FROM ${file}`],
	},
	deliver: {
		join: [
			"BEGIN",
			`CREATE TEMP TABLE fresh AS SELECT * FROM (SELECT *, ${digest} AS digest FROM ${file}) ANTI JOIN seen USING (digest)`,
			`INSERT INTO t SELECT ${names} FROM fresh`,
			"INSERT INTO seen SELECT digest FROM fresh",
			"COMMIT",
		],
		ignore: ["BEGIN", `INSERT OR IGNORE INTO t SELECT * FROM ${file}`, "COMMIT"],
	},
};

async function main() {
	const instance = await DuckDBInstance.create(database);
	const connection = await instance.connect();
	const began = process.hrtime.bigint();
	for (const statement of STATEMENTS[task][way]) await connection.run(statement);
	const seconds = Number(process.hrtime.bigint() - began) / 1e9;
	const rows = (await connection.runAndReadAll("SELECT count(*) FROM t")).getRows()[0][0];
	console.log(seconds, String(rows));
	connection.closeSync();
}

main();
