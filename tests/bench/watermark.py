# SPDX-License-Identifier: Apache-2.0
"""How new rows are often loaded: all of the file is read, and what is behind a watermark is appended."""

import sys

import pandas
import sqlalchemy

socket, path = sys.argv[1], sys.argv[2]
engine = sqlalchemy.create_engine(f"mysql+pymysql://root@localhost/load?unix_socket={socket}")
frame = pandas.read_csv(path)
frame.columns = ["index", "city", "date", "card_type", "exp_type", "gender", "amount"]
with engine.begin() as connection:
    known = connection.execute(sqlalchemy.text("SELECT count(*) FROM t")).scalar()
    fresh = frame.iloc[known:].copy()
    fresh["date"] = pandas.to_datetime(fresh["date"], format="%d-%b-%y")
    fresh.to_sql("t", connection, if_exists="append", index=False, method="multi", chunksize=1000)
