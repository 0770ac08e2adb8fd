from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    dependencies = [
        ('updates', '0024_image_checks'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='upgrade',
            index=models.Index(condition=~Q(state='finished'), fields=['device', 'created_at', 'id'], name='upgrade_open_of_device'),
        ),
    ]
