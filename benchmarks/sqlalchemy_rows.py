"""The reference of frameworks: FastAPI, SQLAlchemy's ORM, pydantic; nobody signed in, no rules.

`python -m benchmarks.sqlalchemy_rows FILE PORT`. Written as FastAPI's own page on SQL databases has it: plain `def`
endpoints in the framework's threads, one session a request, models of the answers.
"""

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

from benchmarks.http_rows import CREATED_AT, LISTED, ORG_ID, new_id

engine = create_engine(f"sqlite:///{sys.argv[1]}", connect_args={"check_same_thread": False})


@event.listens_for(engine, "connect")
def prepare(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


class Base(DeclarativeBase):
    pass


class Work(Base):
    __tablename__ = "works"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    org_id: Mapped[str] = mapped_column(default=ORG_ID)
    title: Mapped[str]
    composer: Mapped[str | None]
    lyricist: Mapped[str | None]
    created_at: Mapped[str] = mapped_column(default=CREATED_AT)
    editions: Mapped[list["Edition"]] = relationship()


class Edition(Base):
    __tablename__ = "editions"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    work_id: Mapped[str] = mapped_column(ForeignKey("works.id"))
    name: Mapped[str]
    edition_type: Mapped[str]
    created_at: Mapped[str] = mapped_column(default=CREATED_AT)


class NewWork(BaseModel):
    title: str
    composer: str | None = None
    lyricist: str | None = None


class WorkShown(NewWork):
    model_config = ConfigDict(from_attributes=True)
    id: str
    org_id: str
    created_at: str


class EditionListed(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: str
    name: str
    edition_type: str


class WorkListed(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: str
    title: str
    composer: str | None
    editions: list[EditionListed]


def session() -> Iterator[Session]:
    with Session(engine) as opened:
        yield opened


Opened = Annotated[Session, Depends(session)]
app = FastAPI()


@app.get("/works/{work_id}", response_model=WorkShown)
def one(work_id: str, opened: Opened) -> Work:
    found = opened.get(Work, work_id)
    if found is None:
        raise HTTPException(404, "not found")
    return found


@app.get("/works", response_model=list[WorkListed])
def some(opened: Opened, limit: int = LISTED) -> list[Work]:
    asked = select(Work).options(selectinload(Work.editions)).order_by(Work.title).limit(limit)
    return list(opened.scalars(asked))


@app.post("/works", response_model=WorkShown, status_code=201)
def add(given: NewWork, opened: Opened) -> Work:
    work = Work(**given.model_dump())
    opened.add(work)
    opened.commit()
    opened.refresh(work)
    return work


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), access_log=False, log_level="warning")
