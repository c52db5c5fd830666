"""What people deploy today for the same job, to be imported and compared with: FastAPI, SQLAlchemy, boto3, Mangum."""

import boto3
from fastapi import FastAPI
from mangum import Mangum
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import create_async_engine

app = FastAPI()
engine = create_async_engine("sqlite+aiosqlite://")
client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


class Note(BaseModel):
    title: str


@app.get("/notes")
async def notes() -> list[Note]:
    return []


handler = Mangum(app)
